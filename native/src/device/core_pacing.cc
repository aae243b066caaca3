// What a peer has received, and when: docs/protocol.md, "Probes", kinds 4 and 5. The pacer makes a rate of it.
#include <utility>

#include "core.h"

namespace wg {
namespace {

/// Both have the same size, so that nothing is amplified.
constexpr size_t body_size = 16;

}  // namespace

std::vector<uint8_t> Core::ask_for_pace(const Now& now, Peer& peer) {
  if (!peer.probe) return {};
  PaceState& pace = peer.probe->pace;
  const uint64_t seq = ++pace.asked;
  pace.sent[seq % PaceState::kept] = now.boot_ns;
  return seal_probe(peer, ProbeKind::pace_request, seq, Bytes<body_size>{});
}

bool Core::receive_pace(const Now& now, Peer& peer, const Arrival& arrival, ProbeKind kind, uint64_t seq, ByteView body,
                        Effects& effects) {
  if (body.size() != body_size) return false;
  if (kind == ProbeKind::pace_report) return take_pace_report(now, peer, seq, body);
  if (kind != ProbeKind::pace_request || seq <= peer.probe->pace.answered) return false;
  if (!knows(now, peer, arrival.via)) return false;
  report_pace(now, peer, arrival, seq, effects);
  return true;
}

void Core::report_pace(const Now& now, Peer& peer, const Arrival& arrival, uint64_t seq, Effects& effects) {
  peer.probe->pace.answered = seq;
  Bytes<body_size> body;
  store_le64(&body[0], static_cast<uint64_t>(now.boot_ns));
  store_le64(&body[8], peer.counters.rx_bytes);
  effects.outgoing.push_back({peer.id, arrival.via, seal_probe(peer, ProbeKind::pace_report, seq, body)});
}

bool Core::take_pace_report(const Now& now, Peer& peer, uint64_t seq, ByteView body) {
  PaceState& pace = peer.probe->pace;
  if (seq > pace.asked || pace.asked - seq >= PaceState::kept) return false;
  const Nanos sent = std::exchange(pace.sent[seq % PaceState::kept], 0);
  // A peer's clock is a few decades at most; what is more would overflow.
  const uint64_t received = load_le64(&body[0]);
  if (sent == 0 || received >= uint64_t{1} << 62) return false;
  peer.pacer.report({sent, now.boot_ns, static_cast<Nanos>(received), load_le64(&body[8])});
  return true;
}

}  // namespace wg
