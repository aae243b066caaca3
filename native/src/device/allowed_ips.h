// Which peer owns an inner address: longest prefix first, both families.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "../noise/bytes.h"

namespace wg {

struct Peer;

/// An address block. IPv4 addresses take the first 4 bytes.
struct Prefix {
  bool v4;
  Bytes<16> address;
  uint8_t length;

  /// CIDR or a single address; host bits are cleared. Nothing when it is neither.
  static std::optional<Prefix> parse(const std::string& cidr);
};

/// Source and destination of an inner packet.
struct InnerHeader {
  bool v4;
  ByteView source, destination;
  /// Length by the IP header: what is behind it is padding.
  size_t length;

  /// Nothing when it is not a whole IP packet.
  static std::optional<InnerHeader> parse(ByteView packet);
};

class AllowedIps {
 public:
  /// Gives the block to `peer`, also when another one held it.
  void insert(const Prefix& prefix, Peer* peer);
  void remove(const Peer* peer);
  Peer* find(bool v4, ByteView address) const;

 private:
  using Number = unsigned __int128;
  struct Entry {
    Number network;
    Peer* peer;
  };
  // Blocks of one length, sorted by network. Few lengths exist at a time, so a lookup is a few binary searches.
  struct Group {
    uint8_t length;
    std::vector<Entry> entries;
  };

  static Number number(ByteView address);
  static Number mask(bool v4, uint8_t length);

  std::vector<Group> v4_, v6_;  // longest first
};

}  // namespace wg
