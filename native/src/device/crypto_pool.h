// Threads that seal and open for a device's two others where there are cores for them. The thread that hands work in takes
// the results in its own order, and does itself what no other has begun by then: a pool is never slower than none by more
// than a hand-off, and no flow is reordered.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace wg {

/// A batch that one thread at a time works on. It stays where it is from `hand_in` to the end of `complete`.
class CryptoWork {
 public:
  virtual ~CryptoWork() = default;
  virtual void run() = 0;

 private:
  friend class CryptoPool;
  enum class State : uint8_t { idle, waiting, running } state_ = State::idle;
};

class CryptoPool {
 public:
  /// More than nothing. Its threads run at once, and sleep while there is no work.
  explicit CryptoPool(size_t workers);
  /// No work may be under way.
  ~CryptoPool();

  size_t workers() const { return threads_.size(); }
  /// Batches of one owner that are worth having under way: one for each worker, and one that is next.
  size_t depth() const { return workers() + 1; }

  void hand_in(CryptoWork& work);
  /// Whether `complete` would not wait.
  bool done(const CryptoWork& work) const;
  /// Returns when the work is done: by a worker, or, when none has begun it, here.
  void complete(CryptoWork& work);

 private:
  void work_off();

  mutable std::mutex mutex_;
  std::condition_variable handed_in_, done_;
  std::vector<CryptoWork*> waiting_;
  bool closing_ = false;
  std::vector<std::thread> threads_;
};

/// Cores that this process may run on.
size_t usable_cores();

/// Workers where nobody said how many: none below 4 cores, where the device's two threads and the host's own work fill them,
/// then all but two, at most 4.
constexpr size_t default_crypto_threads(size_t cores) {
  constexpr size_t fewest_cores = 4, spared = 2, most = 4;
  return cores < fewest_cores ? 0 : cores - spared < most ? cores - spared : most;
}

}  // namespace wg
