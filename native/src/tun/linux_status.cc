#if defined(__linux__)
#include "linux_status.h"

#include <cerrno>

namespace wg::tun {

const char* code_name(Code code) {
  switch (code) {
    case Code::ok: return "ok";
    case Code::no_rights: return "no-rights";
    case Code::name_taken: return "name-taken";
    case Code::unsupported: return "unsupported";
    case Code::invalid: return "invalid";
    case Code::closed: return "closed";
    case Code::helper_failed: return "helper-failed";
  }
  return "helper-failed";
}

Status from_errno(int sys, const char* step) {
  switch (sys) {
    case EPERM:
    case EACCES: return {Code::no_rights, sys, step};
    case EINVAL: return {Code::invalid, sys, step};
    case ENODEV:
    case EBADFD: return {Code::closed, sys, step};
    default: return {Code::unsupported, sys, step};
  }
}

}  // namespace wg::tun
#endif
