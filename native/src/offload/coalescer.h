// Joins packets from the network that follow each other in a flow into frames for the host: the inverse of the segmenter.
// Packets are joined where they lie; nothing is copied. No flow is reordered.
#pragma once

#include <array>
#include <functional>
#include <optional>

#include "../noise/bytes.h"
#include "offload.h"

namespace wg::offload {

class Coalescer {
 public:
  /// Flows open at a time; one more closes the oldest.
  static constexpr size_t max_flows = 8;
  /// Packets of a frame: Linux accepts no more for UDP (UDP_MAX_SEGMENTS).
  static constexpr size_t max_packets = 64;

  struct Frame {
    Offload offload;
    /// Headers with the first payload, then payloads.
    std::span<const ByteView> parts;
  };
  using Sink = std::function<void(const Frame&)>;

  Coalescer(bool tcp, bool udp, Sink sink) : joins_tcp_(tcp), joins_udp_(udp), sink_(std::move(sink)) {}

  /// A whole IP packet with the length that its header says. It must stay, and may change, until `flush`.
  void add(ByteSpan packet);
  /// Hands everything on.
  void flush();
  /// From now on packets of this kind pass alone.
  void stop(Kind kind) { (kind == Kind::tcp ? joins_tcp_ : joins_udp_) = false; }

 private:
  struct Packet {
    ByteSpan bytes;
    Kind kind;
    size_t transport, headers;

    size_t payload() const { return bytes.size() - headers; }
    uint8_t* at(size_t offset) const { return bytes.data() + offset; }
  };
  // Packets of one flow, waiting for the next.
  struct Bundle {
    Packet first;
    std::array<ByteView, max_packets> parts;
    size_t count = 0;
    size_t length = 0;
    /// A short segment or PSH was the last.
    bool ended = false;
    uint16_t next_id = 0;
  };

  std::optional<Packet> parse(ByteSpan packet) const;
  static bool same_hosts(ByteView a, ByteView b);
  static bool same_flow(const Packet& a, const Packet& b);
  static bool follows(const Bundle& bundle, const Packet& packet);
  static void join(Bundle& bundle, const Packet& packet);
  void open(const Packet& packet);
  void close(size_t index);
  void pass(ByteView packet);

  bool joins_tcp_, joins_udp_;
  const Sink sink_;
  // The first `open_`, in the order in which they were opened.
  std::array<Bundle, max_flows> bundles_;
  std::array<uint8_t, max_flows> order_{0, 1, 2, 3, 4, 5, 6, 7};
  size_t open_ = 0;
};

}  // namespace wg::offload
