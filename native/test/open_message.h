// One data message, as the receiving thread opens them by the batch.
#pragma once

#include "../src/device/session.h"

namespace wg::test {

/// Opens a data message in place; nothing when it is not authentic or was seen before.
inline std::optional<ByteSpan> open_message(Session& session, ByteSpan message) {
  Aead opener{Key()};
  session.key_opener(opener);
  const auto inner = Session::open_with(opener, message);
  return inner && session.accept(message) ? inner : std::nullopt;
}

}  // namespace wg::test
