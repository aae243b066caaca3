// Frames cut into packets and packets joined into frames.
#include "../src/offload/checksum.h"
#include "../src/offload/coalescer.h"
#include "../src/offload/segmenter.h"
#include "check.h"

namespace {

using namespace wg;
using namespace wg::offload;

constexpr uint8_t fin = 0x01, psh = 0x08, ack = 0x10, ece = 0x40, cwr = 0x80;

struct Shape {
  bool v4 = true;
  Kind kind = Kind::tcp;
  uint8_t flags = ack;
  uint16_t port = 1'000;
  uint32_t sequence = 0xffffff00;  // wraps within a frame
  uint8_t stamp = 1;

  size_t transport() const { return v4 ? 20 : 40; }
  size_t headers() const { return transport() + (kind == Kind::tcp ? 32 : 8); }
  uint8_t protocol() const { return kind == Kind::tcp ? protocol_tcp : protocol_udp; }
};

/// A whole packet or frame, its checksum field holding the pseudo header's sum as the kernel leaves it.
std::vector<uint8_t> frame(const Shape& shape, size_t payload, uint16_t id = 0xfffe) {
  std::vector<uint8_t> out(shape.headers() + payload);
  uint8_t* ip = out.data();
  if (shape.v4) {
    ip[0] = 0x45;
    store_be16(ip + 2, static_cast<uint16_t>(out.size()));
    store_be16(ip + 4, id);
    ip[8] = 64;
    ip[9] = shape.protocol();
    store_be32(ip + 12, 0x0a000001);
    store_be32(ip + 16, 0x0a000002);
    store_checksum(ip + 10, add_sum({ip, 20}, 0));
  } else {
    ip[0] = 0x60;
    store_be16(ip + 4, static_cast<uint16_t>(out.size() - 40));
    ip[6] = shape.protocol();
    ip[7] = 64;
    ip[8] = ip[24] = 0xfd;
    ip[23] = 1;
    ip[39] = 2;
  }
  uint8_t* transport = ip + shape.transport();
  const size_t length = out.size() - shape.transport();
  store_be16(transport, shape.port);
  store_be16(transport + 2, 80);
  if (shape.kind == Kind::tcp) {
    store_be32(transport + 4, shape.sequence);
    transport[12] = 8 << 4;
    transport[13] = shape.flags;
    transport[31] = shape.stamp;
  } else {
    store_be16(transport + 4, static_cast<uint16_t>(length));
  }
  for (size_t i = 0; i < payload; i++) out[shape.headers() + i] = static_cast<uint8_t>(i * 7 + i / 256);
  store_sum(transport + (shape.kind == Kind::tcp ? 16 : 6), pseudo_sum(ip, shape.protocol(), length));
  return out;
}

Offload offload_of(const Shape& shape, uint16_t segment) {
  const uint16_t field = shape.kind == Kind::tcp ? 16 : 6;
  return {shape.kind, segment, static_cast<uint16_t>(shape.transport()), field};
}

std::vector<std::vector<uint8_t>> cut(ByteView whole, const Offload& offload, size_t limit = 1'420) {
  std::vector<std::vector<uint8_t>> out;
  auto segmenter = Segmenter::begin(whole, offload, limit);
  EXPECT(segmenter.has_value());
  const size_t count = segmenter->count(), longest = segmenter->longest(), last = segmenter->last();
  while (!segmenter->done()) {
    auto& packet = out.emplace_back(segmenter->next_length());
    segmenter->next(packet.data());
    EXPECT_EQ(packet.size(), segmenter->done() ? last : longest);
  }
  EXPECT_EQ(out.size(), count);
  return out;
}

bool sums_up(const Shape& shape, ByteView packet) {
  const ByteView transport = packet.subspan(shape.transport());
  const uint64_t pseudo = pseudo_sum(packet.data(), shape.protocol(), transport.size());
  return fold(add_sum(transport, pseudo)) == 0xffff && (!shape.v4 || fold(add_sum(packet.first(20), 0)) == 0xffff);
}

/// What the host gets: each frame in one piece, with its offload.
struct Host {
  std::vector<std::vector<uint8_t>> frames;
  std::vector<Offload> offloads;
  std::vector<size_t> counts;

  Coalescer coalescer{true, true, [this](const Coalescer::Frame& frame) {
                        auto& bytes = frames.emplace_back();
                        for (const ByteView part : frame.parts) bytes.insert(bytes.end(), part.begin(), part.end());
                        offloads.push_back(frame.offload);
                        counts.push_back(frame.parts.size());
                      }};

  void take(std::vector<std::vector<uint8_t>>& packets) {
    for (auto& packet : packets) coalescer.add(packet);
    coalescer.flush();
  }
};

std::vector<Shape> shapes() {
  std::vector<Shape> out;
  for (const bool v4 : {true, false}) {
    for (const Kind kind : {Kind::tcp, Kind::udp}) out.push_back({.v4 = v4, .kind = kind});
  }
  return out;
}

std::vector<uint8_t> packet_of(const Shape& shape, size_t payload, uint16_t id = 0) {
  auto out = frame(shape, payload, id);
  EXPECT(complete_checksum(out, offload_of(shape, 0)));
  return out;
}

}  // namespace

TEST("a frame is cut into packets with lengths, ids, sequence numbers and checksums of their own") {
  for (const Shape& shape : shapes()) {
    const auto whole = frame(shape, 3'001);
    const auto packets = cut(whole, offload_of(shape, 1'000));
    EXPECT_EQ(packets.size(), 4u);
    for (size_t i = 0; i < packets.size(); i++) {
      const auto& packet = packets[i];
      EXPECT(sums_up(shape, packet));
      if (shape.v4) {
        EXPECT_EQ(load_be16(&packet[2]), packet.size());
        EXPECT_EQ(load_be16(&packet[4]), static_cast<uint16_t>(0xfffe + i));
      } else {
        EXPECT_EQ(load_be16(&packet[4]), packet.size() - 40);
      }
      const uint8_t* transport = &packet[shape.transport()];
      if (shape.kind == Kind::tcp) EXPECT_EQ(load_be32(transport + 4), shape.sequence + static_cast<uint32_t>(1'000 * i));
      if (shape.kind == Kind::udp) EXPECT_EQ(load_be16(transport + 4), packet.size() - shape.transport());
      EXPECT(std::equal(packet.begin() + shape.headers(), packet.end(), whole.begin() + shape.headers() + 1'000 * i));
    }
  }
}

TEST("CWR stays with the first packet of a frame, PSH and FIN with the last, ECE with all") {
  const Shape shape{.flags = ack | psh | fin | ece | cwr};
  const auto packets = cut(frame(shape, 3'000), offload_of(shape, 1'000));
  EXPECT_EQ(packets[0][33], ack | ece | cwr);
  EXPECT_EQ(packets[1][33], ack | ece);
  EXPECT_EQ(packets[2][33], ack | ece | psh | fin);
}

TEST("a path that takes less cuts TCP smaller, and leaves datagrams as they are") {
  const Shape tcp;
  for (const auto& packet : cut(frame(tcp, 5'000), offload_of(tcp, 1'368), 1'000)) EXPECT(packet.size() <= 1'000);
  const Shape udp{.kind = Kind::udp};
  EXPECT_EQ(cut(frame(udp, 5'000), offload_of(udp, 1'368), 1'000)[0].size(), 1'396u);
}

TEST("a frame whose headers lie is refused") {
  const Shape shape;
  const auto whole = frame(shape, 3'000);
  const Offload right = offload_of(shape, 1'000);
  const auto refused = [&](const Offload& offload, size_t size) {
    return !Segmenter::begin(ByteView(whole).first(size), offload, 1'420);
  };
  EXPECT(refused({Kind::tcp, 0, 20, 16}, whole.size()));
  EXPECT(refused({Kind::tcp, 1'000, 0, 16}, whole.size()));
  EXPECT(refused({Kind::tcp, 1'000, 24, 16}, whole.size()));
  EXPECT(refused({Kind::tcp, 1'000, 65'535, 16}, whole.size()));
  for (size_t size = 0; size <= shape.headers(); size++) EXPECT(refused(right, size));
  EXPECT(!refused(right, shape.headers() + 1));
  auto long_header = whole;
  long_header[32] = 0xf0;
  EXPECT(!Segmenter::begin(ByteView(long_header).first(70), right, 1'420));
  long_header[32] = 0x40;
  EXPECT(!Segmenter::begin(long_header, right, 1'420));
}

TEST("a checksum is completed in place, and never lies outside the packet") {
  for (const Shape& shape : shapes()) {
    for (const size_t payload : {0, 1, 2, 15, 16, 17, 1'299}) EXPECT(sums_up(shape, packet_of(shape, payload)));
  }
  auto bytes = frame({}, 10);
  EXPECT(!complete_checksum(bytes, {Kind::none, 0, 60, 16}));
  EXPECT(!complete_checksum(bytes, {Kind::none, 0, 20, 65'535}));
}

TEST("copying and summing is copying and summing") {
  std::vector<uint8_t> from(100), to(100);
  for (size_t i = 0; i < from.size(); i++) from[i] = static_cast<uint8_t>(255 - i * 3);
  for (size_t size = 0; size <= from.size(); size++) {
    std::ranges::fill(to, uint8_t{0});
    const ByteView bytes = ByteView(from).first(size);
    uint32_t naive = 7;
    for (size_t i = 0; i < size; i++) naive += static_cast<uint32_t>(from[i] << (i % 2 == 0 ? 0 : 8));
    EXPECT_EQ(fold(add_sum(bytes, 7)), fold(naive));
    EXPECT_EQ(fold(copy_and_sum(to.data(), bytes, 7)), fold(naive));
    EXPECT(std::equal(bytes.begin(), bytes.end(), to.begin()));
  }
}

TEST("what was cut is joined again to the same frame") {
  for (const Shape& shape : shapes()) {
    for (const size_t payload : {1'001, 2'000, 30'000, 60'000}) {
      auto whole = frame(shape, payload);
      auto packets = cut(whole, offload_of(shape, 1'000));
      Host host;
      host.take(packets);
      EXPECT_EQ(host.frames.size(), 1u);
      EXPECT_EQ(host.counts[0], packets.size());
      EXPECT(host.frames[0] == whole);
      EXPECT(host.offloads[0].kind == shape.kind);
      EXPECT_EQ(host.offloads[0].segment, 1'000);
      EXPECT_EQ(host.offloads[0].checksum_at, shape.transport());
    }
  }
}

TEST("a packet alone passes as it came") {
  for (const Shape& shape : shapes()) {
    std::vector<std::vector<uint8_t>> packets{packet_of(shape, 500)};
    const auto before = packets[0];
    Host host;
    host.take(packets);
    EXPECT_EQ(host.frames.size(), 1u);
    EXPECT(host.frames[0] == before);
    EXPECT(host.offloads[0].kind == Kind::none && host.offloads[0].checksum_at == 0);
  }
}

TEST("frames end with PSH, a short packet, a gap, and any change of header, flags, options or time stamp") {
  using Change = std::function<void(Shape&, size_t&, std::vector<uint8_t>&)>;
  const auto frames_with = [](const Change& change) {
    std::vector<std::vector<uint8_t>> packets;
    Shape shape{.sequence = 0};
    for (int i = 0; i < 4; i++) {
      size_t payload = 1'000;
      std::vector<uint8_t> patch(0);
      Shape own = shape;
      if (i == 1) change(own, payload, patch);
      packets.push_back(packet_of(own, payload));
      for (size_t at = 0; at + 1 < patch.size(); at += 2) packets.back()[patch[at]] = patch[at + 1];
      packets.back()[6] |= 0x40;  // DF
      shape.sequence = own.sequence + static_cast<uint32_t>(payload);
    }
    Host host;
    host.take(packets);
    return host.frames.size();
  };
  EXPECT_EQ(frames_with([](Shape&, size_t&, auto&) {}), 1u);
  EXPECT_EQ(frames_with([](Shape& shape, size_t&, auto&) { shape.flags |= psh; }), 2u);
  EXPECT_EQ(frames_with([](Shape& shape, size_t&, auto&) { shape.flags |= ece; }), 3u);
  EXPECT_EQ(frames_with([](Shape& shape, size_t&, auto&) { shape.flags |= fin; }), 3u);
  EXPECT_EQ(frames_with([](Shape& shape, size_t&, auto&) { shape.flags |= cwr; }), 3u);
  EXPECT_EQ(frames_with([](Shape& shape, size_t&, auto&) { shape.sequence += 5; }), 2u);
  EXPECT_EQ(frames_with([](Shape& shape, size_t&, auto&) { shape.stamp = 2; }), 3u);
  EXPECT_EQ(frames_with([](Shape&, size_t& payload, auto&) { payload = 999; }), 2u);
  EXPECT_EQ(frames_with([](Shape&, size_t& payload, auto&) { payload = 1'001; }), 3u);
  EXPECT_EQ(frames_with([](Shape&, size_t&, auto& patch) { patch = {1, 0x10}; }), 3u);   // service
  EXPECT_EQ(frames_with([](Shape&, size_t&, auto& patch) { patch = {8, 63}; }), 3u);     // time to live
  EXPECT_EQ(frames_with([](Shape&, size_t&, auto& patch) { patch = {31, 9}; }), 3u);     // acknowledgement
  EXPECT_EQ(frames_with([](Shape&, size_t&, auto& patch) { patch = {35, 9}; }), 3u);     // window
  EXPECT_EQ(frames_with([](Shape&, size_t&, auto& patch) { patch = {6, 0x60}; }), 3u);   // a fragment
}

TEST("packets that may be fragmented join only when their ids follow each other") {
  std::vector<std::vector<uint8_t>> packets;
  const Shape shape{.kind = Kind::udp};
  for (const uint16_t id : {7, 8, 9, 9, 10}) packets.push_back(packet_of(shape, 500, id));
  Host host;
  host.take(packets);
  EXPECT_EQ(host.counts.size(), 2u);
  EXPECT_EQ(host.counts[0], 3u);
}

TEST("many interleaved flows keep their order, each its own frames") {
  std::vector<std::vector<uint8_t>> packets;
  constexpr size_t flows = Coalescer::max_flows + 3, rounds = 6;
  for (size_t round = 0; round < rounds; round++) {
    for (uint16_t flow = 0; flow < flows; flow++) {
      if (flow > 4 && round > 2) continue;
      packets.push_back(packet_of({.port = flow, .sequence = static_cast<uint32_t>(round * 200)}, 200, static_cast<uint16_t>(round)));
    }
  }
  Host host;
  host.take(packets);
  std::vector<uint32_t> next(flows, 0);
  for (const auto& bytes : host.frames) {
    const uint16_t flow = load_be16(&bytes[20]);
    EXPECT_EQ(load_be32(&bytes[24]), next[flow]);
    next[flow] += static_cast<uint32_t>(bytes.size() - 52);
  }
  for (size_t flow = 0; flow < flows; flow++) EXPECT_EQ(next[flow], flow > 4 ? 600u : 1'200u);
  EXPECT(host.frames.size() < packets.size());
}

TEST("a frame holds no more packets and bytes than Linux takes") {
  for (const size_t payload : {10, 1'300}) {
    std::vector<std::vector<uint8_t>> packets;
    for (uint32_t i = 0; i < 200; i++) {
      packets.push_back(packet_of({.sequence = i * static_cast<uint32_t>(payload)}, payload, static_cast<uint16_t>(i)));
    }
    Host host;
    host.take(packets);
    size_t total = 0;
    for (size_t i = 0; i < host.frames.size(); i++) {
      EXPECT(host.frames[i].size() <= max_frame && host.counts[i] <= Coalescer::max_packets);
      EXPECT_EQ(load_be16(&host.frames[i][2]), host.frames[i].size());
      total += host.counts[i];
    }
    EXPECT_EQ(total, 200u);
  }
}

TEST("datagrams without a checksum stay without, and a host that cannot cut them gets each alone") {
  std::vector<std::vector<uint8_t>> packets;
  for (uint16_t i = 0; i < 3; i++) packets.push_back(packet_of({.kind = Kind::udp}, 500, i));
  size_t frames = 0;
  Coalescer without(true, false, [&frames](const Coalescer::Frame& frame) { frames += frame.parts.size() == 1; });
  for (auto& packet : packets) without.add(packet);
  without.flush();
  EXPECT_EQ(frames, 3u);
  for (auto& packet : packets) store_be16(&packet[26], 0);
  Host host;
  host.take(packets);
  EXPECT_EQ(host.frames.size(), 3u);
}
