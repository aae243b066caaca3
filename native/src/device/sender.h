// Where sealed packets leave: a socket, or the owner for an external path. One for each sending thread.
#pragma once

#include "state.h"

namespace wg {

class Sender {
 public:
  /// `patient` waits a few milliseconds for a full socket instead of dropping at once.
  Sender(State& state, bool patient) : state_(state), patient_(patient) {}

  /// Bytes and path must stay until `flush`. `lane` of a packet of the host's: owners who carry it need to know.
  void add(const Path& path, PeerId peer, ByteView bytes, std::optional<queue::Lane> lane = {});
  void flush();
  /// One packet of the express lane, at once.
  void send(const Path& path, PeerId peer, ByteView bytes);
  /// Does what a step of the core asked for.
  void run(Effects& effects);

 private:
  State& state_;
  const bool patient_;
  udp::SendBatch batch_;
  std::vector<udp::SendFailure> failures_;
};

/// Reports a failed send to the owner, at most once a second for each socket.
void report_send_error(State& state, udp::Socket& socket, int error);

}  // namespace wg
