// One open TUN interface and the way to configure it: by this process or by the helper that made it.
#pragma once

#if defined(__linux__)
#include <mutex>
#include <string>
#include <vector>

#include "linux_helper_client.h"
#include "linux_tun.h"

namespace wg::tun {

/// Its calls block, so they belong on a worker thread; they may come from several.
class TunSession {
 public:
  /// Tries this process first and, where it lacks the right, the helper at `helper_path`.
  Status open(const std::string& name, uint32_t mtu, const std::string& helper_path);
  Status configure(const std::vector<std::string>& addresses, const std::vector<std::string>& routes);
  /// Idempotent. Afterwards the interface is gone.
  void close();

  /// Valid after open, until close.
  int fd() const { return tun_.fd.get(); }
  /// Captured broadcasts; below 0 where no right to them was to be had.
  int capture() const { return capture_.get(); }
  const std::string& name() const { return tun_.name; }
  uint32_t mtu() const { return tun_.mtu; }

 private:
  std::mutex mutex_;
  Tun tun_;
  Fd capture_;
  HelperClient helper_;
  bool has_helper_ = false;
};

}  // namespace wg::tun
#endif
