// Noise_IKpsk2 as WireGuard uses it (paper, section 5.4.2 to 5.4.5). Pure: clocks and randomness are arguments.
#pragma once

#include <optional>

#include "crypto.h"
#include "messages.h"
#include "tai64n.h"

namespace wg {

/// This side's static key and what is derived from it once.
struct Identity {
  explicit Identity(const Key& private_key);

  Key private_key;
  PublicKey public_key;
  /// Keys under which others compute mac1 towards us, and we seal cookies.
  Hash mac1_key, cookie_key;
};

/// The other side's static key and what is derived from it once.
struct RemoteIdentity {
  PublicKey public_key;
  Key static_static;
  Hash mac1_key, cookie_key;

  /// Nothing for a low-order public key.
  static std::optional<RemoteIdentity> create(const Identity& own, const PublicKey& public_key);
};

struct TransportKeys {
  Key send, receive;
};

/// An initiation that waits for its response.
struct PendingInitiation {
  uint32_t local_index;
  Key ephemeral;
  Hash hash;
  Key chaining_key;
};

/// An initiation that was opened up to the initiator's static key: enough to find the peer.
struct OpenedInitiation {
  uint32_t remote_index;
  PublicKey ephemeral, static_key;
  Hash hash;
  Key chaining_key;
  Bytes<28> sealed_timestamp;
};

/// An initiation that is wholly authenticated.
struct AcceptedInitiation {
  uint32_t remote_index;
  PublicKey ephemeral, static_key;
  Hash hash;
  Key chaining_key;
  Tai64n timestamp;
};

/// Writes an initiation without its macs.
PendingInitiation create_initiation(const Identity& own, const RemoteIdentity& remote, uint32_t local_index,
                                    const Tai64n& now, const Key& ephemeral, std::span<uint8_t, initiation_size> out);

std::optional<OpenedInitiation> open_initiation(const Identity& own, std::span<const uint8_t, initiation_size> message);
std::optional<AcceptedInitiation> accept_initiation(const OpenedInitiation& opened, const RemoteIdentity& remote);

/// Writes a response without its macs and derives the responder's transport keys.
std::optional<TransportKeys> create_response(const AcceptedInitiation& initiation, const Key& preshared_key,
                                             uint32_t local_index, const Key& ephemeral,
                                             std::span<uint8_t, response_size> out);

/// The initiator's transport keys, or nothing for a response that is not authentic.
std::optional<TransportKeys> consume_response(const Identity& own, const PendingInitiation& pending,
                                              const Key& preshared_key,
                                              std::span<const uint8_t, response_size> message);

}  // namespace wg
