// The unprivileged side of the TUN helper: starts it with one end of a socket pair, asks, receives the descriptor.
#pragma once

#include <sys/types.h>

#include <string>

#include "linux_fd.h"
#include "linux_helper_wire.h"
#include "linux_status.h"
#include "linux_tun.h"

namespace wg::tun {

/// One helper process; it ends when this object closes or this process dies. Not for concurrent use.
class HelperClient {
 public:
  HelperClient() = default;
  HelperClient(const HelperClient&) = delete;
  HelperClient& operator=(const HelperClient&) = delete;
  ~HelperClient() { close(); }

  /// Runs `path` with the socket as its standard input. A missing or forbidden program is `no_rights`.
  Status start(const std::string& path);
  /// Blocks until the helper answers; it may first have to ask a person for a password.
  Status open_tun(const std::string& name, uint32_t mtu, Tun& tun);
  Status configure(const std::vector<Prefix>& addresses, const std::vector<Prefix>& routes);
  /// Copies of this host's broadcasts, a packet a read. Refused where the helper lacks CAP_NET_RAW or is older than this.
  Status capture(Fd& packets);
  /// Ends the helper and waits for its end. Idempotent.
  void close();

 private:
  Status request(const Request& request, int timeout_ms, Reply& reply, Fd* received);

  Fd socket_;
  pid_t pid_ = -1;
};

}  // namespace wg::tun
