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
        keys_(keys),
        sealer_(keys.send) {}

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

  /// The first of `count` counters, for messages that leave in their order. Any thread. Those from `reject_after_messages` on
  /// seal nothing.
  uint64_t reserve(size_t count) {
    uint64_t first = messages_sent();
    while (first < reject_after_messages &&
           !next_counter_.compare_exchange_weak(first, first + count, std::memory_order_relaxed)) {
    }
    return first;
  }
  void key_sealer(Aead& aead) const { aead.set_key(keys_.send); }
  void key_opener(Aead& aead) const { aead.set_key(keys_.receive); }

  /// Seals the `length` bytes at `buffer` + 16 in place; the buffer has room for the header before them and for padding and
  /// tag (31 bytes) behind, with a counter of `reserve` and a sealer that has this session's key. Returns the message, empty
  /// when the counter is used up.
  ByteView seal_with(Aead& sealer, uint64_t counter, uint8_t* buffer, size_t length, size_t mtu) const {
    if (counter >= reject_after_messages) return {};
    const size_t padded = sealed_size(length, mtu) - data_overhead;
    std::fill(buffer + data_header_size + length, buffer + data_header_size + padded, uint8_t{0});
    store_le32(buffer, static_cast<uint32_t>(MessageType::data));
    store_le32(buffer + data_at::receiver, remote_index);
    store_le64(buffer + data_at::counter, counter);
    sealer.seal(Aead::counter_nonce(counter), {}, {buffer + data_header_size, padded});
    return {buffer, data_overhead + padded};
  }

  /// The same with a counter and a sealer of its own. Any thread.
  ByteView seal(uint8_t* buffer, size_t length, size_t mtu) {
    const std::lock_guard lock(seal_mutex_);
    return seal_with(sealer_, reserve(1), buffer, length, mtu);
  }

  /// Opens a data message in place, with an opener that has its session's key. Nothing when it is not authentic.
  static std::optional<ByteSpan> open_with(Aead& opener, ByteSpan message) {
    const uint64_t counter = counter_of(message);
    const ByteSpan sealed = message.subspan(data_header_size);
    if (counter >= reject_after_messages || !opener.open(Aead::counter_nonce(counter), {}, sealed)) return std::nullopt;
    return sealed.first(sealed.size() - Aead::tag_size);
  }
  /// Whether an authentic message is the first with its counter. The receiving thread only.
  bool accept(ByteView message) { return window_.accept(counter_of(message)); }

 private:
  static uint64_t counter_of(ByteView message) { return load_le64(message.data() + data_at::counter); }

  const TransportKeys keys_;
  std::mutex seal_mutex_;  // packets that leave alone and keepalives come from two threads
  std::atomic<uint64_t> next_counter_{0};
  std::atomic<uint32_t> identification_{local_index};  // random
  Aead sealer_;
  ReplayWindow window_;
};

}  // namespace wg
