// Keys go with their session: nothing that has sealed or opened under them keeps a copy.
#include "../src/device/opening.h"
#include "../src/device/sealing.h"
#include "check.h"

namespace {

using namespace wg;

constexpr size_t mtu = 1'420, inner_size = 1'000;

Key filled(uint8_t value) {
  const std::vector<uint8_t> bytes(32, value);
  return Key(bytes);
}

std::shared_ptr<Session> session_with(const TransportKeys& keys) {
  return std::make_shared<Session>(PeerId{1}, 1, 1, true, 0, keys);
}

/// Whether the object's own bytes hold the key.
template <typename Object>
bool holds(const Object& object, const Key& key) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(&object);
  const ByteView wanted(key);
  return std::search(bytes, bytes + sizeof object, wanted.begin(), wanted.end()) != bytes + sizeof object;
}

}  // namespace

TEST("key erasure: who has opened a batch forgets its key") {
  const Key shared = filled(0x5a);
  const auto sender = session_with({shared, Key()}), receiver = session_with({Key(), shared});
  std::vector<uint8_t> buffer(inner_size + data_overhead + 15);
  const ByteView sealed = sender->seal(buffer.data(), inner_size, mtu);

  Opening opening;
  opening.add({}, ByteSpan(buffer).first(sealed.size()), Opening::no_place);
  opening.items()[0].session = receiver.get();
  opening.run();
  EXPECT(opening.items()[0].authentic);
  EXPECT(holds(opening, shared));
  opening.clear();
  EXPECT(!holds(opening, shared));
}

TEST("key erasure: who has sealed a batch forgets its key") {
  const Key shared = filled(0xa5);
  Peer peer(1, {});
  peer.current = session_with({shared, Key()});
  peer.inner_limit = mtu;
  std::vector<uint8_t> buffer(inner_size + data_overhead + 15);
  HostFrame frame;
  frame.packet = ByteSpan(buffer).subspan(data_header_size, inner_size);

  Sealing sealing;
  const auto bytes = static_cast<uint32_t>(Session::sealed_size(inner_size, mtu));
  sealing.add(peer, {.slot = 0, .peer = 1, .first = 0, .count = 1, .bytes = bytes, .last = true}, frame, queue::Lane::bulk);
  sealing.run();
  EXPECT_EQ(sealing.messages().size(), size_t{1});
  EXPECT(holds(sealing, shared));
  sealing.clear();
  EXPECT(!holds(sealing, shared));
}
