// From the host to the peers: read, route (locked), seal, send. One for each thread that sends.
#pragma once

#include "sender.h"

namespace wg {

class Outbound {
 public:
  /// `slots` packets a batch.
  Outbound(State& state, size_t slots, bool patient);

  size_t slots() const { return lengths_.size(); }
  /// Where the caller puts packet `index`, at most mtu bytes.
  ByteSpan slot(size_t index) { return {buffer(index) + data_header_size, state_.core.mtu()}; }
  void set_length(size_t index, size_t length) { lengths_[index] = length; }
  /// Routes, seals and sends the first `count` packets.
  void send(size_t count);

 private:
  // Packets of a batch to one peer. `limit` is the longest inner packet that its path carries: a segment that is cut from
  // an offloaded frame must not be longer either (headers + min(gso_size, limit - headers)), or it leaves as fragments.
  struct Flow {
    PeerId peer;
    std::shared_ptr<Session> session;
    Path path, duplicate;
    size_t limit;
  };
  struct Job {
    size_t slot, flow;
  };

  uint8_t* buffer(size_t index) { return memory_.data() + index * slot_size_; }
  ByteView slot_view(size_t index) { return {buffer(index) + data_header_size, lengths_[index]}; }
  bool route(const Now& now, size_t slot);
  bool join_flow(const Now& now, Peer& peer, ByteView packet);
  void transmit(const Flow& flow, uint8_t* buffer, size_t length);
  void transmit_fragments(const Flow& flow, ByteView packet);
  void seal(const Flow& flow, uint8_t* buffer, size_t length);
  void fan_out(const Now& now, ByteView packet);
  void flush();
  void finish();

  State& state_;
  Sender sender_;
  Effects effects_;
  const size_t slot_size_;
  std::vector<uint8_t> memory_;
  std::vector<size_t> lengths_;
  std::vector<Flow> flows_;
  std::vector<Job> jobs_;
  std::vector<size_t> fanout_;
  std::vector<uint8_t> copy_;
  std::vector<uint8_t> pieces_;  // fragments that wait to leave; made when first needed
  size_t pieces_used_ = 0;
};

}  // namespace wg
