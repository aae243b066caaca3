// The closed set of outcomes that TUN code and helper share; the numbers travel in the helper's protocol.
#pragma once

#include <cstdint>

namespace wg::tun {

/// As WireguardErrorCode in types.ts.
enum class Code : uint8_t {
  ok = 0,
  no_rights = 1,
  name_taken = 2,
  unsupported = 3,
  invalid = 4,
  closed = 5,
  helper_failed = 6,
};
inline constexpr uint8_t last_code = 6;

/// What happened, with the errno (0: none) and the step that failed, for the message.
struct Status {
  Code code = Code::ok;
  int sys = 0;
  const char* step = "";

  bool ok() const { return code == Code::ok; }
};

/// Name of a code as JavaScript knows it.
const char* code_name(Code code);

/// The outcome of a system call that failed with `sys` (errno).
Status from_errno(int sys, const char* step);

}  // namespace wg::tun
