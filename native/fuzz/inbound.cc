// The way from the network to the host with everything on it: reads that the kernel joined (UDP_GRO), lying lengths, cut and
// bent messages, small ones between bulk, threads that open. Sealed with real keys and sent over the loopback. What reaches the
// host was sent, comes once, and in the order of its flow.
#include <netinet/udp.h>

#include <cstdlib>
#include <map>

#include "../test/half.h"
#include "input.h"

namespace {

using namespace wg;
using fuzz::Input;
using test::Half;

constexpr size_t tcp_headers = 40, longest_inner = 1'420, most_joined = 64;

void require(bool condition) {
  if (!condition) std::abort();
}

/// Numbered packets of a few flows, which are source ports: of TCP, which keeps its order, or UDP.
class Conversation {
 public:
  explicit Conversation(CryptoPool* pool) : left_(1, pool, Half::Host::memory), right_(2, pool, Half::Host::memory) {
    test::connect(left_, right_);
  }

  void step(Input& input) {
    switch (input.byte() % 8) {
      case 0: return join(input);
      case 1: return join(input);
      case 2: return junk(input);
      case 3: return new_keys();
      case 4: return expect(false);
      case 5: right_.inbound->receive_bulk(); return take();
      case 6: return relay(input);
      default: return expect(true);
    }
  }

  void finish() {
    expect(true);
    require(delivered_ <= sent_.size());
  }

 private:
  /// A run of sealed packets as one send; the length at which it is cut may be any, and bytes may be bent.
  void join(Input& input) {
    const uint8_t shape = input.byte();
    const size_t count = 1 + input.byte() % 40, size = tcp_headers + 1 + input.number() % (longest_inner - tcp_headers);
    std::vector<uint8_t> bytes;
    size_t one = 0;
    for (size_t i = 0; i < count && bytes.size() + size + data_overhead + 15 < udp::SendBatch::max_send; i++) {
      const auto sealed = seal(shape, size);
      one = sealed.size();
      bytes.insert(bytes.end(), sealed.begin(), sealed.end());
    }
    if (bytes.empty()) return;
    for (const uint8_t bend : input.block(4)) bytes[(bend * 1'021u) % bytes.size()] ^= bend;
    const size_t lie = shape & 0x80 ? 1 + input.number() % 2'000 : one;
    send(bytes, std::max(lie, (bytes.size() + most_joined - 1) / most_joined));
  }

  void junk(Input& input) {
    const size_t segment = 1 + input.number() % 2'000;
    const auto bytes = input.block(4'096);
    send(bytes, std::max(segment, (bytes.size() + most_joined - 1) / most_joined));
  }

  /// By the path that has no socket, which would pass what waits.
  void relay(Input& input) {
    expect(true);
    const auto sealed = seal(input.byte(), tcp_headers + 1 + input.number() % (longest_inner - tcp_headers));
    if (!sealed.empty() && right_.inbox.push(right_.peer, sealed)) right_.inbound->receive_external();
    take();
  }

  void send(ByteView bytes, size_t segment) {
    iovec vector{const_cast<uint8_t*>(bytes.data()), bytes.size()};
    Endpoint to = *Endpoint::parse("127.0.0.1", right_.socket->port());
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(uint16_t))] = {};
    msghdr message{};
    message.msg_name = to.raw();
    message.msg_namelen = to.raw_size();
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    if (bytes.size() > segment) {
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      cmsghdr* const part = CMSG_FIRSTHDR(&message);
      part->cmsg_level = SOL_UDP;
      part->cmsg_type = UDP_SEGMENT;
      part->cmsg_len = CMSG_LEN(sizeof(uint16_t));
      const auto length = static_cast<uint16_t>(segment);
      std::memcpy(CMSG_DATA(part), &length, sizeof length);
    }
    // A full socket loses it, as a network might.
    [[maybe_unused]] const ssize_t sent = ::sendmsg(left_.socket->fd(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  }

  std::vector<uint8_t> seal(uint8_t shape, size_t size) {
    Peer& peer = *left_.state.core.find(left_.peer);
    const auto& session = left_.state.core.session_for_data(read_clocks(), peer, effects_);
    std::vector<uint8_t> buffer(size + data_overhead + 15);
    uint8_t* const packet = &buffer[data_header_size];
    packet[0] = 0x45;
    store_be16(packet + 2, static_cast<uint16_t>(size));
    packet[9] = shape & 8 ? 17 : 6;
    store_be32(packet + 12, 0x0a000001);
    store_be32(packet + 16, 0x0a000002);
    store_be16(packet + 20, shape & 3);
    store_be32(packet + 24, static_cast<uint32_t>(sent_.size()));
    packet[32] = 0x50;
    packet[33] = 0x10;
    sent_.emplace_back(packet, packet + size);
    if (!session) return {};
    const ByteView sealed = session->seal(buffer.data(), size, longest_inner);
    return {sealed.begin(), sealed.end()};
  }

  void new_keys() {
    Peer& peer = *left_.state.core.find(left_.peer);
    if (!peer.current) return;
    peer.current->skip_to(rekey_after_messages);
    peer.initiation_sent = right_.state.core.find(right_.peer)->initiation_received = 0;
    left_.state.core.session_for_data(read_clocks(), peer, effects_);
    Sender(left_.state, host_patience_ms).run(effects_);
    right_.inbound->receive(right_.socket);
    left_.inbound->receive(left_.socket);
  }

  /// Reads what waits; `whole`: and opens all of it.
  void expect(bool whole) {
    right_.inbound->receive(right_.socket);
    take();
    while (whole && right_.inbound->receive_bulk()) {
      take();
      right_.inbound->receive(right_.socket);
    }
    take();
  }

  void take() {
    right_.take([this](ByteView packet) { came(packet); });
  }

  void came(ByteView packet) {
    require(packet.size() > tcp_headers);
    const uint32_t number = load_be32(&packet[24]);
    require(number < sent_.size() && std::ranges::equal(sent_[number], packet));
    sent_[number].clear();
    delivered_++;
    if (packet[9] != 6) return;
    const auto [last, fresh] = ordered_.try_emplace(load_be16(&packet[20]), number);
    require(fresh || number > last->second);
    last->second = number;
  }

  Half left_, right_;
  Effects effects_;
  std::vector<std::vector<uint8_t>> sent_;
  std::map<uint16_t, uint32_t> ordered_;
  size_t delivered_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  std::optional<CryptoPool> pool;
  if (input.byte() % 2 != 0) pool.emplace(2);
  Conversation conversation(pool ? &*pool : nullptr);
  for (int steps = 0; !input.empty() && steps < 64; steps++) conversation.step(input);
  conversation.finish();
  return 0;
}
