#include "handshake.h"

#include <string_view>

namespace wg {
namespace {

ByteView text(std::string_view value) { return {reinterpret_cast<const uint8_t*>(value.data()), value.size()}; }

constexpr std::string_view construction = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";
constexpr std::string_view identifier = "WireGuard v1 zx2c4 Jason@zx2c4.com";
constexpr std::string_view mac1_label = "mac1----";
constexpr std::string_view cookie_label = "cookie--";

// The running state of a Noise handshake: chaining key, transcript hash and the key of the next field.
struct Symmetric {
  Key chaining_key;
  Hash hash;
  Key key;

  static Symmetric begin(ByteView responder_static) {
    static const Hash initial_key = blake2s(text(construction));
    static const Hash initial_hash = blake2s(initial_key, text(identifier));
    return {Key(initial_key), blake2s(initial_hash, responder_static), {}};
  }

  void mix_hash(ByteView data) { hash = blake2s(hash, data); }

  void mix_chain(ByteView input) {
    Key* outputs[] = {&chaining_key};
    mix(input, outputs);
  }

  void mix_key(ByteView input) {
    Key* outputs[] = {&chaining_key, &key};
    mix(input, outputs);
  }

  void mix_preshared(ByteView preshared_key) {
    Key middle;
    Key* outputs[] = {&chaining_key, &middle, &key};
    mix(preshared_key, outputs);
    mix_hash(middle);
  }

  void seal(ByteView plain, ByteSpan out) {
    aead_seal(key, 0, hash, plain, out);
    mix_hash(out);
  }

  bool open(ByteView sealed, ByteSpan out) {
    if (!aead_open(key, 0, hash, sealed, out)) return false;
    mix_hash(sealed);
    return true;
  }

 private:
  void mix(ByteView input, std::span<Key*> outputs) {
    const Key previous = chaining_key;
    kdf(previous, input, outputs);
  }
};

void write_type(ByteSpan out, MessageType type) { store_le32(out.data(), static_cast<uint32_t>(type)); }

}  // namespace

Identity::Identity(const Key& key)
    : private_key(key),
      public_key(x25519_public(key)),
      mac1_key(blake2s(text(mac1_label), public_key)),
      cookie_key(blake2s(text(cookie_label), public_key)) {}

std::optional<RemoteIdentity> RemoteIdentity::create(const Identity& own, const PublicKey& public_key) {
  Key shared;
  if (!x25519(own.private_key, public_key, shared)) return std::nullopt;
  return RemoteIdentity{public_key, shared, blake2s(text(mac1_label), public_key),
                        blake2s(text(cookie_label), public_key)};
}

PendingInitiation create_initiation(const Identity& own, const RemoteIdentity& remote, uint32_t local_index,
                                    const Tai64n& now, const Key& ephemeral, std::span<uint8_t, initiation_size> out) {
  using namespace initiation_at;
  const PublicKey ephemeral_public = x25519_public(ephemeral);
  write_type(out, MessageType::initiation);
  store_le32(&out[sender], local_index);
  std::copy(ephemeral_public.begin(), ephemeral_public.end(), &out[initiation_at::ephemeral]);

  Symmetric state = Symmetric::begin(remote.public_key);
  state.mix_hash(ephemeral_public);
  state.mix_chain(ephemeral_public);
  Key shared;
  x25519(ephemeral, remote.public_key, shared);  // RemoteIdentity has already refused low-order keys
  state.mix_key(shared);
  state.seal(own.public_key, out.subspan(static_key, 48));
  state.mix_key(remote.static_static);
  state.seal(now, out.subspan(timestamp, 28));
  return {local_index, ephemeral, state.hash, state.chaining_key};
}

std::optional<OpenedInitiation> open_initiation(const Identity& own,
                                                std::span<const uint8_t, initiation_size> message) {
  using namespace initiation_at;
  OpenedInitiation opened{};
  opened.remote_index = load_le32(&message[sender]);
  std::copy_n(&message[ephemeral], opened.ephemeral.size(), opened.ephemeral.begin());
  std::copy_n(&message[timestamp], opened.sealed_timestamp.size(), opened.sealed_timestamp.begin());

  Symmetric state = Symmetric::begin(own.public_key);
  state.mix_hash(opened.ephemeral);
  state.mix_chain(opened.ephemeral);
  Key shared;
  if (!x25519(own.private_key, opened.ephemeral, shared)) return std::nullopt;
  state.mix_key(shared);
  if (!state.open(message.subspan(static_key, 48), opened.static_key)) return std::nullopt;
  opened.hash = state.hash;
  opened.chaining_key = state.chaining_key;
  return opened;
}

std::optional<AcceptedInitiation> accept_initiation(const OpenedInitiation& opened, const RemoteIdentity& remote) {
  Symmetric state{opened.chaining_key, opened.hash, {}};
  AcceptedInitiation accepted{opened.remote_index, opened.ephemeral, opened.static_key, {}, {}, {}};
  state.mix_key(remote.static_static);
  if (!state.open(opened.sealed_timestamp, accepted.timestamp)) return std::nullopt;
  accepted.hash = state.hash;
  accepted.chaining_key = state.chaining_key;
  return accepted;
}

std::optional<TransportKeys> create_response(const AcceptedInitiation& initiation, const Key& preshared_key,
                                             uint32_t local_index, const Key& ephemeral,
                                             std::span<uint8_t, response_size> out) {
  using namespace response_at;
  const PublicKey ephemeral_public = x25519_public(ephemeral);
  write_type(out, MessageType::response);
  store_le32(&out[sender], local_index);
  store_le32(&out[receiver], initiation.remote_index);
  std::copy(ephemeral_public.begin(), ephemeral_public.end(), &out[response_at::ephemeral]);

  Symmetric state{initiation.chaining_key, initiation.hash, {}};
  state.mix_hash(ephemeral_public);
  state.mix_chain(ephemeral_public);
  Key shared;
  if (!x25519(ephemeral, initiation.ephemeral, shared)) return std::nullopt;
  state.mix_chain(shared);
  if (!x25519(ephemeral, initiation.static_key, shared)) return std::nullopt;
  state.mix_chain(shared);
  state.mix_preshared(preshared_key);
  state.seal({}, out.subspan(empty, 16));

  TransportKeys keys;
  Key* outputs[] = {&keys.receive, &keys.send};
  kdf(state.chaining_key, {}, outputs);
  return keys;
}

std::optional<TransportKeys> consume_response(const Identity& own, const PendingInitiation& pending,
                                              const Key& preshared_key,
                                              std::span<const uint8_t, response_size> message) {
  using namespace response_at;
  const ByteView remote_ephemeral = message.subspan(ephemeral, 32);
  Symmetric state{pending.chaining_key, pending.hash, {}};
  state.mix_hash(remote_ephemeral);
  state.mix_chain(remote_ephemeral);
  Key shared;
  if (!x25519(pending.ephemeral, remote_ephemeral, shared)) return std::nullopt;
  state.mix_chain(shared);
  if (!x25519(own.private_key, remote_ephemeral, shared)) return std::nullopt;
  state.mix_chain(shared);
  state.mix_preshared(preshared_key);
  if (!state.open(message.subspan(empty, 16), {})) return std::nullopt;

  TransportKeys keys;
  Key* outputs[] = {&keys.send, &keys.receive};
  kdf(state.chaining_key, {}, outputs);
  return keys;
}

}  // namespace wg
