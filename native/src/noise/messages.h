// The four messages of WireGuard (paper, section 5.4) and the test that tells them from everything else on the socket.
#pragma once

#include <optional>

#include "bytes.h"

namespace wg {

enum class MessageType : uint8_t { initiation = 1, response = 2, cookie_reply = 3, data = 4 };

constexpr size_t initiation_size = 148;
constexpr size_t response_size = 92;
constexpr size_t cookie_reply_size = 64;
constexpr size_t data_header_size = 16;
constexpr size_t data_overhead = data_header_size + 16;

/// Offsets. Types take 4 bytes: the type and three zero bytes.
namespace initiation_at {
constexpr size_t sender = 4, ephemeral = 8, static_key = 40, timestamp = 88, mac1 = 116, mac2 = 132;
}
namespace response_at {
constexpr size_t sender = 4, receiver = 8, ephemeral = 12, empty = 44, mac1 = 60, mac2 = 76;
}
namespace cookie_reply_at {
constexpr size_t receiver = 4, nonce = 8, cookie = 32;
}
namespace data_at {
constexpr size_t receiver = 4, counter = 8, payload = 16;
}

/// The type of a WireGuard message whose length fits it, or nothing.
inline std::optional<MessageType> message_type(ByteView datagram) {
  if (datagram.size() < 4 || datagram[1] != 0 || datagram[2] != 0 || datagram[3] != 0) return std::nullopt;
  switch (datagram[0]) {
    case 1:
      return datagram.size() == initiation_size ? std::optional(MessageType::initiation) : std::nullopt;
    case 2:
      return datagram.size() == response_size ? std::optional(MessageType::response) : std::nullopt;
    case 3:
      return datagram.size() == cookie_reply_size ? std::optional(MessageType::cookie_reply) : std::nullopt;
    case 4:
      return datagram.size() >= data_overhead ? std::optional(MessageType::data) : std::nullopt;
    default:
      return std::nullopt;
  }
}

}  // namespace wg
