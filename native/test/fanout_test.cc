// Broadcast and multicast on a test clock: what is carried, to the limits, never twice, never in a circle.
#include "../src/device/fanout.h"

#include <map>

#include "check.h"

using namespace wg;

namespace {

constexpr uint32_t us = 0x0a000001, friend_a = 0x0a000002, directed = 0x0a0000ff, minecraft = 0xe000023c;
constexpr Nanos millisecond = 1'000'000;

struct Udp {
  uint32_t from = us, to = limited_broadcast;
  uint16_t source_port = 6112, port = 6112;
  std::string payload = "who is there?";
  uint8_t protocol = ip_protocol_udp;
  uint16_t id = 1;
};

std::vector<uint8_t> packet_of(const Udp& udp) {
  std::vector<uint8_t> out(28 + udp.payload.size());
  out[0] = 0x45;
  store_be16(out.data() + 2, static_cast<uint16_t>(out.size()));
  store_be16(out.data() + 4, udp.id);
  out[8] = 64;
  out[9] = udp.protocol;
  store_be32(out.data() + 12, udp.from);
  store_be32(out.data() + 16, udp.to);
  store_be16(out.data() + 20, udp.source_port);
  store_be16(out.data() + 22, udp.port);
  store_be16(out.data() + 24, static_cast<uint16_t>(8 + udp.payload.size()));
  std::ranges::copy(udp.payload, out.begin() + 28);
  return out;
}

/// The packet in fragments of `size` bytes each.
std::vector<std::vector<uint8_t>> fragments_of(const std::vector<uint8_t>& packet, size_t size) {
  std::vector<std::vector<uint8_t>> out;
  for (size_t done = 0; 20 + done < packet.size(); done += size) {
    const size_t take = std::min(size, packet.size() - 20 - done);
    std::vector<uint8_t> part(packet.begin(), packet.begin() + 20);
    part.insert(part.end(), packet.begin() + 20 + static_cast<long>(done), packet.begin() + 20 + static_cast<long>(done + take));
    store_be16(part.data() + 2, static_cast<uint16_t>(part.size()));
    const bool more = 20 + done + take < packet.size();
    store_be16(part.data() + 6, static_cast<uint16_t>(done / 8 | (more ? 0x2000 : 0)));
    out.push_back(std::move(part));
  }
  return out;
}

struct Bench {
  Bench() { fanout.configure(true, directed, std::nullopt); }

  FanoutVerdict host(const std::vector<uint8_t>& packet, bool from_member = false, size_t copies = 3) {
    return fanout.from_host(now(), packet, from_member, copies, events);
  }
  FanoutVerdict host(const Udp& udp) { return host(packet_of(udp)); }
  FanoutVerdict peer(const Udp& udp, PeerId id = 7) { return peer(packet_of(udp), id); }
  FanoutVerdict peer(const std::vector<uint8_t>& packet, PeerId id = 7) {
    return fanout.from_peer(now(), id, gates[id], packet, events);
  }
  void pass(Nanos time) { at += time; }
  Now now() const { return {at, static_cast<double>(at) / 1e6, at}; }

  Fanout fanout;
  std::map<PeerId, FanoutGate> gates;
  std::vector<Event> events;
  Nanos at = 1'000'000'000;
};

constexpr auto carry = FanoutVerdict::carry, refuse = FanoutVerdict::refuse, not_ours = FanoutVerdict::not_ours;

}  // namespace

TEST("limited broadcast, the subnet's own and multicast are carried; one member's address and another subnet's are not ours") {
  Bench bench;
  EXPECT(bench.host(Udp{}) == carry);
  EXPECT(bench.host(Udp{.to = directed, .port = 3979}) == carry);
  EXPECT(bench.host(Udp{.to = minecraft, .port = 4445}) == carry);
  EXPECT(bench.host(Udp{.to = friend_a}) == not_ours);
  EXPECT(bench.host(Udp{.to = 0xc0a801ff}) == not_ours);
  EXPECT(bench.peer(Udp{.from = friend_a, .to = us}) == not_ours);
  EXPECT_EQ(bench.fanout.counters().sent, 3u);
  EXPECT_EQ(bench.fanout.counters().copies, 9u);
}

TEST("nothing is carried either way while it is off") {
  Bench bench;
  bench.fanout.configure(false, std::nullopt, std::nullopt);
  EXPECT(bench.host(Udp{}) == not_ours);
  EXPECT(bench.peer(Udp{.from = friend_a}) == refuse);
}

TEST("while it is off, what a member says to the subnet is still told from a packet to one host") {
  Bench bench;
  bench.fanout.configure(false, std::nullopt, std::nullopt);
  EXPECT(bench.peer(Udp{.to = directed}) == refuse);
}

TEST("captured broadcasts are copied while it is on and both addresses are known") {
  Bench bench;
  EXPECT(!bench.fanout.copies_to());
  bench.fanout.configure(true, directed, 0x0a400001);
  EXPECT_EQ(bench.fanout.copies_to()->own, 0x0a400001u);
  EXPECT_EQ(bench.fanout.copies_to()->broadcast, directed);
  bench.fanout.configure(false, std::nullopt, std::nullopt);
  EXPECT(!bench.fanout.copies_to());
}

TEST("routing protocols, DHCP, NetBIOS and everything but UDP stay where they are") {
  Bench bench;
  for (const uint8_t protocol : {1, 2, 88, 89, 103, 112, 253}) EXPECT(bench.host(Udp{.protocol = protocol}) == refuse);
  for (const uint32_t group : {0xe0000002, 0xe0000005, 0xe0000009, 0xe0000012, 0xe0000016, 0xe0000127}) {
    EXPECT(bench.host(Udp{.to = group}) == refuse);
    EXPECT(bench.peer(Udp{.from = friend_a, .to = group}) == refuse);
  }
  for (const uint16_t port : {67, 68, 137, 138, 520}) {
    EXPECT(bench.host(Udp{.port = port}) == refuse);
    EXPECT(bench.peer(Udp{.from = friend_a, .port = port}) == refuse);
  }
  EXPECT_EQ(bench.fanout.counters().sent, 0u);
  EXPECT_EQ(bench.fanout.counters().refused, 29u);
}

TEST("200 packets a second after a burst of 400") {
  Bench bench;
  size_t carried = 0;
  // Three seconds of a flood of a thousand different small packets a second.
  for (int i = 0; i < 3'000; i++, bench.pass(millisecond)) {
    if (bench.host(packet_of({.payload = std::to_string(i)}), false, 1) == carry) carried++;
  }
  EXPECT(carried >= 995 && carried <= 1'001);
  EXPECT_EQ(bench.fanout.counters().rate_limited, 3'000u - carried);
}

TEST("2 Mbit/s after multiplication: seven friends leave a seventh") {
  Bench bench;
  const std::string long_payload(1'372, 'x');
  size_t bytes = 0;
  for (int i = 0; i < 10'000; i++, bench.pass(millisecond)) {
    const auto packet = packet_of({.payload = std::to_string(i) + long_payload});
    if (bench.host(packet, false, 7) == carry) bytes += packet.size() * 7;
  }
  // Ten seconds, and the second's worth that may come at once.
  EXPECT(bytes > 10 * 250'000 && bytes < 11.1 * 250'000);
}

TEST("one member's flood costs no other member") {
  Bench bench;
  for (int i = 0; i < 5'000; i++) bench.peer(Udp{.from = friend_a, .payload = std::to_string(i)}, 7);
  EXPECT_EQ(bench.gates[7].carried, 400u);
  EXPECT_EQ(bench.gates[7].dropped, 4'600u);
  EXPECT(bench.peer(Udp{.from = friend_a + 1}, 8) == carry);
  EXPECT(bench.host(Udp{.payload = "ours"}) == carry);
}

TEST("the same packet within 50 ms is one, later it is another") {
  Bench bench;
  EXPECT(bench.host(Udp{.id = 1}) == carry);
  // Another identification and kind of broadcast: a game that asks on every interface and in every way at once.
  EXPECT(bench.host(Udp{.to = directed, .id = 2}) == refuse);
  bench.pass(49 * millisecond);
  EXPECT(bench.host(Udp{.id = 3}) == refuse);
  EXPECT(bench.host(Udp{.port = 6113}) == carry);
  EXPECT(bench.host(Udp{.payload = "another"}) == carry);
  bench.pass(2 * millisecond);
  EXPECT(bench.host(Udp{.id = 4}) == carry);
  EXPECT_EQ(bench.fanout.counters().duplicates, 2u);
}

TEST("two members may say the same at the same time, one member may not twice") {
  Bench bench;
  EXPECT(bench.peer(Udp{.from = friend_a}, 7) == carry);
  EXPECT(bench.peer(Udp{.from = friend_a + 1}, 8) == carry);
  EXPECT(bench.peer(Udp{.from = friend_a}, 7) == refuse);
  EXPECT_EQ(bench.fanout.counters().duplicates, 1u);
}

TEST("what came from the tunnel does not go back: by its source, or said again by this host") {
  Bench bench;
  EXPECT(bench.peer(Udp{.from = friend_a, .payload = "find"}) == carry);
  EXPECT(bench.host(packet_of({.from = friend_a, .payload = "anything"}), true) == refuse);
  // A relaying program on this host repeats it as its own.
  EXPECT(bench.host(Udp{.payload = "find"}) == refuse);
  EXPECT_EQ(bench.fanout.counters().loops, 2u);
  for (int i = 0; i < 100; i++) {
    bench.pass(150 * millisecond);
    EXPECT(bench.host(Udp{.payload = "find"}) == refuse);
  }
  bench.pass(201 * millisecond);
  EXPECT(bench.host(Udp{.payload = "find"}) == carry);
}

TEST("fragments follow their first, also when the datagram comes twice in any order") {
  Bench bench;
  const auto parts = fragments_of(packet_of({.payload = std::string(1'400, 'a')}), 1'400);
  EXPECT_EQ(parts.size(), 2u);
  EXPECT(bench.host(parts[0]) == carry);
  EXPECT(bench.host(parts[0]) == refuse);
  EXPECT(bench.host(parts[1]) == carry);
  EXPECT(bench.host(parts[1]) == refuse);

  const auto theirs = fragments_of(packet_of({.from = friend_a, .payload = std::string(1'400, 'b')}), 1'400);
  EXPECT(bench.peer(theirs[0]) == carry);
  EXPECT(bench.peer(theirs[1]) == carry);
  EXPECT(bench.peer(theirs[0]) == refuse);
  EXPECT(bench.peer(theirs[1]) == refuse);
}

TEST("the fragments of a refused datagram are refused") {
  Bench bench;
  const auto dhcp = fragments_of(packet_of({.port = 67, .payload = std::string(1'400, 'a'), .id = 9}), 1'400);
  EXPECT(bench.host(dhcp[0]) == refuse);
  EXPECT(bench.host(dhcp[1]) == refuse);
  for (int i = 0; i < 400; i++) bench.host(packet_of({.payload = std::to_string(i)}), false, 1);
  const auto late = fragments_of(packet_of({.payload = std::string(1'400, 'c'), .id = 10}), 1'400);
  EXPECT(bench.host(late[0]) == refuse);
  EXPECT(bench.host(late[1]) == refuse);
}

TEST("the owner sees a sample of each sender: addresses, and the head of the payload") {
  Bench bench;
  for (int i = 0; i < 30; i++) bench.peer(Udp{.from = friend_a, .payload = std::to_string(i)}, 7);
  bench.host(Udp{.to = minecraft, .port = 4445, .payload = std::string(1'000, 'm')});
  EXPECT_EQ(bench.events.size(), 11u);
  EXPECT_EQ(bench.events[0].peer, 7u);
  EXPECT(bench.events[0].from.ip() == "10.0.0.2");
  EXPECT_EQ(bench.events[0].from.port(), 6112);
  EXPECT_EQ(bench.events[10].peer, 0u);
  EXPECT(bench.events[10].observed.ip() == "224.0.2.60");
  EXPECT_EQ(bench.events[10].observed.port(), 4445);
  EXPECT_EQ(bench.events[10].bytes.size(), 512u);
}

TEST("a query for a group is answered here, joins and queries go to nobody") {
  Bench bench;
  std::vector<uint8_t> query = packet_of({.to = 0xe0000001, .payload = "", .protocol = ip_protocol_igmp});
  query[20] = 0x11;
  store_be32(query.data() + 24, minecraft);
  EXPECT(bench.host(query) == refuse);
  const auto answers = bench.fanout.take_answers();
  EXPECT_EQ(answers.size(), 1u);
  const auto answer = Ipv4Packet::parse(answers[0]);
  EXPECT(answer && answer->destination == minecraft && answer->protocol == ip_protocol_igmp);
  EXPECT_EQ(internet_checksum(internet_sum(answer->header)), 0);
  EXPECT_EQ(internet_checksum(internet_sum(answer->body)), 0);
  EXPECT_EQ(answer->body[0], 0x16);
  query[20] = 0x22;  // an IGMPv3 report
  EXPECT(bench.host(query) == refuse);
  EXPECT(bench.fanout.take_answers().empty());
}
