#include "sender.h"

namespace wg {

void Sender::add(const Path& path, PeerId peer, ByteView bytes, std::optional<queue::Lane> lane) {
  if (path.kind == PathKind::external) {
    state_.events.push(EventType::outbound, peer, bytes, lane);
  } else if (path.kind == PathKind::udp) {
    if (batch_.full()) flush();
    batch_.add(*path.socket, path.to, bytes);
  }
}

void Sender::flush() {
  if (batch_.empty()) return;
  state_.tx_dropped += batch_.flush(patience_ms_, failures_);
  for (const udp::SendFailure& failure : failures_) report_send_error(state_, *failure.socket, failure.error);
}

// The batch is for those that a full socket kept, and for all errors.
void Sender::send(const Path& path, PeerId peer, ByteView bytes) {
  if (path.kind == PathKind::udp && path.socket->send(path.to, bytes) == 0) return;
  add(path, peer, bytes, queue::Lane::express);
  flush();
}

void Sender::run(Effects& effects) {
  for (const Outgoing& out : effects.outgoing) add(out.path, out.peer, out.bytes);
  flush();
  for (Event& event : effects.events) state_.events.push(std::move(event));
  effects.clear();
}

void report_send_error(State& state, udp::Socket& socket, int error) {
  if (!socket.may_report_error(read_clocks().boot_ns)) return;
  Event event;
  event.type = EventType::socket_error;
  event.socket = socket.id();
  event.error = error;
  state.events.push(std::move(event));
}

}  // namespace wg
