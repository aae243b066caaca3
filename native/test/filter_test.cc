#include "../src/device/filter.h"

#include "check.h"
#include "packets.h"

using namespace wg;
using namespace wg::test;

namespace {

constexpr Nanos second = 1'000'000'000;

FilterRules everything() { return {}; }
FilterRules nothing() { return {.accept = false}; }
FilterRules but(std::vector<PortRange> ports) {
  return {.rules = {{.accept = false, .protocol = ip_protocol::tcp, .ports = ports},
                    {.accept = false, .protocol = ip_protocol::udp, .ports = ports}}};
}

/// A filter, two members and a clock.
struct Desk {
  explicit Desk(FilterRules rules) {
    filter.set(FilterOptions{.rules = std::move(rules), .directed_broadcast = load_be32(packets::broadcast.data())});
  }
  void sends(const std::vector<uint8_t>& packet, int to = 0) { filter.from_host(members[to], packet, now); }
  bool accepts(const std::vector<uint8_t>& packet, int from = 0) { return filter.accepts(members[from], packet, now); }

  Filter filter{42};
  PeerFilter members[2];
  Nanos now = 1'000 * second;
};

using packets::host, packets::host6, packets::member, packets::member6;
using packets::icmp, packets::tcp, packets::udp;

}  // namespace

TEST("filter: off, everything passes and nothing is remembered") {
  Desk desk(nothing());
  desk.filter.set(std::nullopt);
  EXPECT(desk.accepts(tcp(member, 5'000, host, 22, "S")));
  desk.sends(udp(host, 5'000, member, 53));
  EXPECT_EQ(desk.members[0].ours.size(), 0u);
}

TEST("filter: rules look at this host's port, and the first that matches decides") {
  Desk desk(but({{22, 22}, {135, 139}}));
  for (const uint16_t port : {22, 135, 137, 139}) {
    EXPECT(!desk.accepts(tcp(member, 27'015, host, port, "S")));
    EXPECT(!desk.accepts(udp(member, 27'015, host, port)));
    EXPECT(!desk.accepts(tcp(member6, 27'015, host6, port, "S")));
  }
  for (const uint16_t port : {21, 134, 140, 27'015}) {
    EXPECT(desk.accepts(tcp(member, 22, host, port, "S")));
    EXPECT(desk.accepts(udp(member6, 22, host6, port)));
  }
  EXPECT(desk.accepts(icmp(member, host, 8, 7)));
  EXPECT(desk.accepts(icmp(member6, host6, 128, 7)));
}

TEST("filter: a rule of another protocol does not match, and a peer's own rules come instead of the device's") {
  Desk desk({.rules = {{.accept = true, .protocol = ip_protocol::udp, .ports = {{6'112, 6'119}}},
                       {.accept = true, .protocol = ip_protocol::icmp}},
             .accept = false});
  EXPECT(desk.accepts(udp(member, 1, host, 6'115)));
  EXPECT(!desk.accepts(tcp(member, 1, host, 6'115, "S")));
  EXPECT(desk.accepts(icmp(member, host, 8, 1)));
  desk.members[0].rules = nothing();
  EXPECT(!desk.accepts(udp(member, 2, host, 6'115)));
  EXPECT(desk.accepts(udp(member, 2, host, 6'115), 1));
}

TEST("filter: answers to what the host began pass, and only those") {
  Desk desk(nothing());
  desk.sends(udp(host, 5'000, member, 27'015));
  EXPECT(desk.accepts(udp(member, 27'015, host, 5'000)));
  EXPECT(!desk.accepts(udp(member, 27'016, host, 5'000)));
  EXPECT(!desk.accepts(udp(member, 27'015, host, 5'001)));
  EXPECT(!desk.accepts(tcp(member, 27'015, host, 5'000, "S")));
  EXPECT(!desk.accepts(udp(member, 27'015, host, 5'000), 1));
  desk.sends(udp(host6, 5'000, member6, 27'015));
  EXPECT(desk.accepts(udp(member6, 27'015, host6, 5'000)));
}

TEST("filter: UDP answers pass for five minutes of silence") {
  Desk desk(nothing());
  desk.sends(udp(host, 5'000, member, 27'015));
  for (int i = 0; i < 10; i++) {
    desk.now += 299 * second;
    EXPECT(desk.accepts(udp(member, 27'015, host, 5'000)));
  }
  desk.now += 301 * second;
  EXPECT(!desk.accepts(udp(member, 27'015, host, 5'000)));
  desk.sends(udp(host, 5'000, member, 27'015));
  EXPECT(desk.accepts(udp(member, 27'015, host, 5'000)));
}

TEST("filter: a TCP connection of the host lives two hours of silence, ends after both FINs, and sooner after a reset") {
  Desk desk(nothing());
  const auto begin = [&desk](uint16_t port) {
    desk.sends(tcp(host, port, member, 80, "S"));
    EXPECT(desk.accepts(tcp(member, 80, host, port, "SA")));
    desk.sends(tcp(host, port, member, 80, "A"));
  };
  begin(5'000);
  desk.now += 2 * 3'600 * second;
  EXPECT(desk.accepts(tcp(member, 80, host, 5'000, "A")));
  EXPECT(desk.accepts(tcp(member, 80, host, 5'000, "FA")));
  desk.sends(tcp(host, 5'000, member, 80, "FA"));
  desk.now += 200 * second;
  EXPECT(desk.accepts(tcp(member, 80, host, 5'000, "A")));
  desk.now += 300 * second;
  EXPECT(!desk.accepts(tcp(member, 80, host, 5'000, "A")));
  begin(5'001);
  EXPECT(desk.accepts(tcp(member, 80, host, 5'001, "R")));
  desk.now += 11 * second;
  EXPECT(!desk.accepts(tcp(member, 80, host, 5'001, "A")));
}

TEST("filter: a connection that nobody answers is forgotten after four minutes") {
  Desk desk(nothing());
  desk.sends(tcp(host, 5'000, member, 80, "S"));
  desk.now += 241 * second;
  EXPECT(!desk.accepts(tcp(member, 80, host, 5'000, "SA")));
}

TEST("filter: over the host's connection a member cannot open one of its own") {
  Desk desk(nothing());
  desk.sends(tcp(host, 5'000, member, 80, "S"));
  EXPECT(desk.accepts(tcp(member, 80, host, 5'000, "S")));  // both at once
  EXPECT(desk.accepts(tcp(member, 80, host, 5'000, "SA")));
  EXPECT(!desk.accepts(tcp(member, 80, host, 5'000, "S")));
  desk.sends(tcp(host, 5'000, member, 80, "S"));  // the host uses the port again
  EXPECT(desk.accepts(tcp(member, 80, host, 5'000, "SA")));
}

TEST("filter: what the host answers does not open the port that was asked") {
  Desk desk(everything());
  EXPECT(desk.accepts(udp(member, 4'000, host, 27'015)));
  EXPECT(desk.accepts(tcp(member, 4'000, host, 27'015, "S")));
  EXPECT(desk.accepts(icmp(member, host, 8, 9)));
  desk.sends(udp(host, 27'015, member, 4'000));
  desk.sends(tcp(host, 27'015, member, 4'000, "SA"));
  desk.sends(icmp(host, member, 0, 9));
  EXPECT_EQ(desk.members[0].ours.size(), 0u);
  desk.filter.set(FilterOptions{.rules = nothing()});
  desk.sends(udp(host, 27'015, member, 4'000));
  desk.sends(tcp(host, 27'015, member, 4'000, "A"));
  desk.sends(tcp(host, 27'016, member, 4'000, "RA"));
  desk.sends(tcp(host, 27'017, member, 4'000, "SA"));
  EXPECT(!desk.accepts(udp(member, 4'000, host, 27'015)));
  EXPECT(!desk.accepts(tcp(member, 4'000, host, 27'015, "A")));
  EXPECT(!desk.accepts(tcp(member, 4'000, host, 27'016, "S")));
  EXPECT(!desk.accepts(tcp(member, 4'000, host, 27'017, "A")));
}

TEST("filter: the host's connections go on when the rules become narrow, and when the device is new") {
  Desk desk(everything());
  desk.sends(tcp(host, 5'000, member, 80, "S"));
  EXPECT(desk.accepts(tcp(member, 80, host, 5'000, "SA")));
  desk.filter.set(FilterOptions{.rules = nothing()});
  EXPECT(desk.accepts(tcp(member, 80, host, 5'000, "A")));
  Desk fresh(nothing());
  EXPECT(!fresh.accepts(tcp(member, 80, host, 5'000, "A")));
  fresh.sends(tcp(host, 5'000, member, 80, "A"));
  EXPECT(fresh.accepts(tcp(member, 80, host, 5'000, "A")));
}

TEST("filter: pings of the host are answered, pings of members follow the rules, stray replies never pass") {
  Desk desk(nothing());
  EXPECT(!desk.accepts(icmp(member, host, 8, 9)));
  EXPECT(!desk.accepts(icmp(member, host, 0, 9)));
  desk.sends(icmp(host, member, 8, 9));
  EXPECT(desk.accepts(icmp(member, host, 0, 9)));
  EXPECT(!desk.accepts(icmp(member, host, 0, 10)));
  EXPECT(!desk.accepts(icmp(member, host, 8, 9)));
  desk.sends(icmp(host6, member6, 128, 9));
  EXPECT(desk.accepts(icmp(member6, host6, 129, 9)));
  desk.filter.set(FilterOptions{.rules = everything()});
  EXPECT(!desk.accepts(icmp(member, host, 0, 77)));
}

TEST("filter: ICMP errors pass when they are about a flow, redirects and advertisements never") {
  for (const FilterRules& rules : {everything(), nothing()}) {
    Desk desk(rules);
    const auto sent = udp(host, 5'000, member, 27'015);
    const auto sent6 = tcp(host6, 5'000, member6, 80, "S");
    EXPECT(!desk.accepts(icmp(member, host, 3, 0, sent)));
    desk.sends(sent);
    desk.sends(sent6);
    EXPECT(desk.accepts(icmp(member, host, 3, 0, sent)));
    EXPECT(desk.accepts(icmp(member6, host6, 2, 0, sent6)));
    EXPECT(!desk.accepts(icmp(member, host, 3, 0, udp(host, 5'001, member, 27'015))));
    EXPECT(!desk.accepts(icmp(member, host, 3, 0)));
    EXPECT(!desk.accepts(icmp(member, host, 5, 0, sent)));
    EXPECT(!desk.accepts(icmp(member6, host6, 134, 0)));
    EXPECT(!desk.accepts(icmp(member6, host6, 137, 0, sent6)));
  }
}

TEST("filter: protocols without ports are told by their addresses") {
  Desk desk(nothing());
  const auto gre = packets::ipv4(47, member, host, {0, 0, 8, 0});
  EXPECT(!desk.accepts(gre));
  desk.sends(packets::ipv4(47, host, member, {0, 0, 8, 0}));
  EXPECT(desk.accepts(gre));
  desk.filter.set(FilterOptions{.rules = but({{0, 65'535}})});
  EXPECT(desk.accepts(packets::ipv4(132, member, host, {0, 0, 8, 0})));
}

TEST("filter: discovery is judged by its port, whoever it is sent to") {
  Desk desk(but({{137, 137}}));
  const Bytes<4> everybody{255, 255, 255, 255}, group{224, 0, 2, 60};
  for (const Bytes<4>& to : {everybody, group, packets::broadcast}) {
    EXPECT(desk.accepts(udp(member, 6'112, to, 6'112)));
    EXPECT(!desk.accepts(udp(member, 137, to, 137)));
  }
}

TEST("filter: whoever answers a search of the host is heard for a minute, on the port that searched") {
  const Bytes<4> everybody{255, 255, 255, 255};
  for (const Bytes<4>& to : {everybody, packets::broadcast}) {
    Desk desk(nothing());
    desk.sends(udp(host, 6'112, to, 6'112));
    desk.sends(udp(host, 137, to, 137));
    EXPECT(desk.accepts(udp(member, 6'113, host, 6'112)));
    EXPECT(!desk.accepts(udp(member, 6'112, host, 6'113)));
    EXPECT(!desk.accepts(udp(member, 6'112, host, 6'112), 1));
    EXPECT(!desk.accepts(udp(member, 6'112, everybody, 6'112)));
    EXPECT(!desk.accepts(udp(member, 137, host, 137)));
    desk.now += 61 * second;
    EXPECT(!desk.accepts(udp(member, 6'113, host, 6'112)));
  }
}

TEST("filter: a search opens no port that a rule closes by name") {
  Desk desk(but({{3'389, 3'389}}));
  desk.sends(udp(host, 3'389, packets::broadcast, 3'389));
  EXPECT(!desk.accepts(udp(member, 3'389, host, 3'389)));
}

TEST("filter: packets to other machines behind this host do not pass") {
  Desk desk(everything());
  desk.filter.set(FilterOptions{.rules = everything(),
                                .destinations = {*Prefix::parse("10.0.0.1/32"), *Prefix::parse("fd00::1/128")},
                                .directed_broadcast = load_be32(packets::broadcast.data())});
  EXPECT(desk.accepts(udp(member, 1, host, 27'015)));
  EXPECT(desk.accepts(udp(member6, 1, host6, 27'015)));
  EXPECT(desk.accepts(udp(member, 1, packets::broadcast, 27'015)));
  EXPECT(desk.accepts(udp(member, 1, {224, 0, 2, 60}, 4'445)));
  EXPECT(!desk.accepts(udp(member, 1, {192, 168, 1, 1}, 80)));
  EXPECT(!desk.accepts(tcp(member, 1, {127, 0, 0, 1}, 80, "S")));
}

TEST("filter: fragments follow the first one") {
  Desk desk(but({{22, 22}}));
  const auto good = packets::fragments(udp(member, 1, host, 27'015, 3'000), 77);
  EXPECT(desk.accepts(good[1]));  // its first has not come: alone it is nothing
  for (const auto& part : good) EXPECT(desk.accepts(part));
  const auto bad = packets::fragments(udp(member, 1, host, 22, 3'000), 78);
  for (const auto& part : bad) EXPECT(!desk.accepts(part));
  EXPECT(desk.accepts(good[1]));
  EXPECT(desk.accepts(bad[1], 1));  // another member's first says nothing
  EXPECT(!desk.accepts(bad[0], 1));
  desk.now += 31 * second;
  EXPECT(desk.accepts(bad[1]));
  EXPECT(!desk.accepts(bad[0]));
}

TEST("filter: a first fragment without its ports, and one that would write over TCP flags, are refused") {
  Desk desk(everything());
  auto tiny = packets::fragments(tcp(member, 1, host, 27'015, "S"), 5).front();
  tiny.resize(28);
  EXPECT(!desk.accepts(tiny));
  auto over = packets::ipv4(ip_protocol::tcp, member, host, std::vector<uint8_t>(16));
  over[7] = 1;
  EXPECT(!desk.accepts(over));
}

TEST("filter: extension headers are walked, and too many of them refused") {
  Desk desk(but({{22, 22}}));
  EXPECT(!desk.accepts(packets::extended(tcp(member6, 1, host6, 22, "S"), 3)));
  EXPECT(desk.accepts(packets::extended(tcp(member6, 1, host6, 27'015, "S"), 3)));
  EXPECT(!desk.accepts(packets::extended(tcp(member6, 1, host6, 27'015, "S"), 12)));
}

TEST("filter: a member's flood forgets only what is that member's, and never what the host began") {
  Desk desk(everything());
  desk.sends(udp(host, 5'000, member, 27'015), 0);
  desk.sends(udp(host, 5'000, member, 27'015), 1);
  for (int i = 0; i < 20'000; i++) {
    EXPECT(desk.accepts(udp(member, static_cast<uint16_t>(i), host, static_cast<uint16_t>(i * 7)), 0));
  }
  EXPECT_EQ(desk.members[0].theirs.size(), flow_limit);
  desk.filter.set(FilterOptions{.rules = nothing()});
  EXPECT(desk.accepts(udp(member, 27'015, host, 5'000), 0));
  EXPECT(desk.accepts(udp(member, 27'015, host, 5'000), 1));
}

TEST("filter: of the host's own flows to one member the silent ones go first") {
  Desk desk(nothing());
  desk.sends(udp(host, 1, member, 27'015));
  for (uint16_t i = 0; i < flow_limit + 100; i++) {
    desk.sends(udp(host, static_cast<uint16_t>(1'000 + i), member, 27'015));
    EXPECT(desk.accepts(udp(member, 27'015, host, 1)));
  }
  EXPECT_EQ(desk.members[0].ours.size(), flow_limit);
  EXPECT(!desk.accepts(udp(member, 27'015, host, 1'000)));
}

TEST("filter: bytes that are no packet do not pass") {
  Desk desk(everything());
  EXPECT(!desk.accepts({}));
  EXPECT(!desk.accepts(std::vector<uint8_t>(19, 0x45)));
  EXPECT(!desk.accepts(std::vector<uint8_t>(39, 0x60)));
  auto odd = udp(member, 1, host, 2);
  odd[0] = 0x4f;
  EXPECT(!desk.accepts(odd));
}
