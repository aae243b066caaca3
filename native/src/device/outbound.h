// From the host to the peers: route (locked), cut to the path, seal, send. One for each thread that sends.
#pragma once

#include "../offload/segmenter.h"
#include "outbound_reader.h"
#include "sender.h"

namespace wg {

class Outbound {
 public:
  Outbound(State& state, bool patient);

  /// Routes, cuts, seals and sends.
  void send(std::span<HostFrame> frames);

 private:
  // What leaves in one go to one peer.
  struct Flow {
    PeerId peer;
    std::shared_ptr<Session> session;
    Path path, duplicate;
    /// The longest inner packet that its path carries.
    size_t limit;
  };
  struct Job {
    HostFrame frame;
    size_t flow;
    std::optional<offload::Segmenter> cut;
  };

  void route(const Now& now, const HostFrame& frame);
  void join_flow(const Now& now, Peer& peer, const HostFrame& frame);
  void stage(Peer& peer, const HostFrame& frame, std::optional<offload::Segmenter> cut);
  void transmit(Job& job);
  void transmit_packets(const Flow& flow, offload::Segmenter& cut);
  void transmit_fragments(const Flow& flow, ByteView packet);
  void seal(const Flow& flow, uint8_t* packet, size_t length);
  uint8_t* place(size_t length);
  void fan_out(const Now& now, const HostFrame& frame);
  void flush();
  void finish();

  State& state_;
  Sender sender_;
  Effects effects_;
  std::vector<Flow> flows_;
  std::vector<Job> jobs_;
  std::vector<HostFrame> fanout_;
  // Cut packets and fragments until they have left.
  std::unique_ptr<uint8_t[]> cut_;
  size_t cut_used_ = 0;
  std::vector<uint8_t> copy_;
};

}  // namespace wg
