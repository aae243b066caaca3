// Reading IPv4 and UDP headers of hostile lengths.
#include "../src/device/fanout_packet.h"

#include <vector>

#include "check.h"

using namespace wg;

namespace {

/// From port 3979 to 3978, 33 bytes.
std::vector<uint8_t> datagram() {
  std::vector<uint8_t> out(28 + 33);
  out[0] = 0x45;
  store_be16(out.data() + 2, static_cast<uint16_t>(out.size()));
  out[9] = ip_protocol_udp;
  store_be16(out.data() + 20, 3979);
  store_be16(out.data() + 22, 3978);
  return out;
}

}  // namespace

TEST("a datagram gives ports and payload, a later fragment gives none") {
  auto packet = datagram();
  const auto udp = UdpHeader::parse(*Ipv4Packet::parse(packet));
  EXPECT(udp && udp->source_port == 3979 && udp->destination_port == 3978 && udp->payload.size() == 33);
  store_be16(packet.data() + 6, 1);
  const auto later = Ipv4Packet::parse(packet);
  EXPECT(later && later->is_fragment() && !later->is_first());
  EXPECT(!UdpHeader::parse(*later));
}

TEST("hostile lengths read as nothing") {
  auto packet = datagram();
  for (size_t size = 0; size < packet.size(); size++) EXPECT(!Ipv4Packet::parse(ByteView(packet).first(size)));
  store_be16(packet.data() + 2, 27);
  EXPECT(!UdpHeader::parse(*Ipv4Packet::parse(packet)));
  packet[0] = 0x41;
  EXPECT(!Ipv4Packet::parse(packet));
  packet[0] = 0x4f;
  store_be16(packet.data() + 2, 40);
  EXPECT(!Ipv4Packet::parse(packet));
}
