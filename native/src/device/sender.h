// Where sealed packets leave: a socket, or the owner for an external path. One for each sending thread.
#pragma once

#include "state.h"

namespace wg {

/// Tuning: how long a full socket is waited for. What the host sends has a thread of its own for that. An answer, or what the
/// owner says, is small and rare, and lost only where the system sends less than one frame in this time: there bulk is paced.
constexpr int host_patience_ms = 5, answer_patience_ms = 1, no_patience = 0;

class Sender {
 public:
  Sender(State& state, int patience_ms) : state_(state), patience_ms_(patience_ms) {}

  /// Bytes and path must stay until `flush`. `lane` of a packet of the host's: owners who carry it need to know.
  void add(const Path& path, PeerId peer, ByteView bytes, std::optional<queue::Lane> lane = {});
  void flush();
  /// One packet of the express lane, at once.
  void send(const Path& path, PeerId peer, ByteView bytes);
  /// Does what a step of the core asked for.
  void run(Effects& effects);

 private:
  State& state_;
  const int patience_ms_;
  udp::SendBatch batch_;
  std::vector<udp::SendFailure> failures_;
};

/// Reports a failed send to the owner, at most once a second for each socket.
void report_send_error(State& state, udp::Socket& socket, int error);

}  // namespace wg
