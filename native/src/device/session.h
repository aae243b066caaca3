// One pair of transport keys.
#pragma once

#include <atomic>
#include <mutex>

#include "../noise/handshake.h"
#include "../noise/replay.h"
#include "event.h"

namespace wg {

/// Paper, section 6.1.
constexpr uint64_t rekey_after_messages = uint64_t{1} << 60;
constexpr uint64_t reject_after_messages = ~uint64_t{0} - (uint64_t{1} << 13);

class Session {
 public:
  Session(PeerId peer_id, uint32_t local, uint32_t remote, bool is_initiator, Nanos now, const TransportKeys& keys)
      : peer(peer_id),
        local_index(local),
        remote_index(remote),
        initiator(is_initiator),
        created(now),
        sealer_(keys.send, Aead::Direction::seal),
        opener_(keys.receive, Aead::Direction::open) {}

  const PeerId peer;
  const uint32_t local_index, remote_index;
  const bool initiator;
  const Nanos created;

  /// Goes on at `counter`: for tests of the limits.
  void skip_to(uint64_t counter) { next_counter_.store(counter, std::memory_order_relaxed); }
  /// For the fragments of one packet. Rises, so that those of two packets are not mixed up. Any thread.
  uint32_t next_identification() { return identification_.fetch_add(1, std::memory_order_relaxed); }
  uint64_t messages_sent() const { return next_counter_.load(std::memory_order_relaxed); }

  /// Whether a datagram is a data message for this session.
  bool receives(ByteView datagram) const {
    return message_type(datagram) == MessageType::data && load_le32(datagram.data() + data_at::receiver) == local_index;
  }

  /// Length of the message for an inner packet: padded to 16 bytes, but not past the MTU.
  static size_t sealed_size(size_t length, size_t mtu) {
    const size_t rounded = (length + 15) & ~size_t{15};
    return data_overhead + (length > mtu ? length : std::min(rounded, mtu));
  }

  /// Seals the `length` bytes at `buffer` + 16 in place; the buffer has room for the header before them and for padding and
  /// tag (31 bytes) behind. Any thread. Returns the message, empty when the counter is used up.
  ByteView seal(uint8_t* buffer, size_t length, size_t mtu) {
    const size_t padded = sealed_size(length, mtu) - data_overhead;
    std::fill(buffer + data_header_size + length, buffer + data_header_size + padded, uint8_t{0});
    const std::lock_guard lock(seal_mutex_);
    const uint64_t counter = next_counter_.load(std::memory_order_relaxed);
    if (counter >= reject_after_messages) return {};
    next_counter_.store(counter + 1, std::memory_order_relaxed);
    store_le32(buffer, static_cast<uint32_t>(MessageType::data));
    store_le32(buffer + data_at::receiver, remote_index);
    store_le64(buffer + data_at::counter, counter);
    if (!sealer_.seal(Aead::counter_nonce(counter), {}, {buffer + data_header_size, padded})) return {};
    return {buffer, data_overhead + padded};
  }

  /// Opens a data message in place. The receiving thread only. Nothing when it is not authentic or was seen before.
  std::optional<ByteSpan> open(ByteSpan message) {
    const uint64_t counter = load_le64(message.data() + data_at::counter);
    const ByteSpan sealed = message.subspan(data_header_size);
    if (counter >= reject_after_messages || !opener_.open(Aead::counter_nonce(counter), {}, sealed)) return std::nullopt;
    if (!window_.accept(counter)) return std::nullopt;
    return sealed.first(sealed.size() - Aead::tag_size);
  }

 private:
  std::mutex seal_mutex_;  // data, keepalives and memory packets come from three threads
  std::atomic<uint64_t> next_counter_{0};
  std::atomic<uint32_t> identification_{local_index};  // random
  Aead sealer_;
  Aead opener_;
  ReplayWindow window_;
};

}  // namespace wg
