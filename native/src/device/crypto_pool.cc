#include "crypto_pool.h"

namespace wg {

CryptoPool::CryptoPool(size_t workers) {
  // Of a device's two directions.
  waiting_.reserve(2 * (workers + 1));
  threads_.reserve(workers);
  for (size_t i = 0; i < workers; i++) threads_.emplace_back([this] { work_off(); });
}

CryptoPool::~CryptoPool() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  handed_in_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void CryptoPool::hand_in(CryptoWork& work) {
  {
    const std::lock_guard lock(mutex_);
    work.state_ = CryptoWork::State::waiting;
    waiting_.push_back(&work);
  }
  handed_in_.notify_one();
}

bool CryptoPool::done(const CryptoWork& work) const {
  const std::lock_guard lock(mutex_);
  return work.state_ == CryptoWork::State::idle;
}

void CryptoPool::complete(CryptoWork& work) {
  {
    std::unique_lock lock(mutex_);
    if (work.state_ != CryptoWork::State::waiting) {
      done_.wait(lock, [&work] { return work.state_ == CryptoWork::State::idle; });
      return;
    }
    std::erase(waiting_, &work);
    work.state_ = CryptoWork::State::idle;
  }
  work.run();
}

void CryptoPool::work_off() {
  std::unique_lock lock(mutex_);
  while (true) {
    handed_in_.wait(lock, [this] { return closing_ || !waiting_.empty(); });
    if (closing_) return;
    CryptoWork& work = *waiting_.front();
    waiting_.erase(waiting_.begin());
    work.state_ = CryptoWork::State::running;
    lock.unlock();
    work.run();
    lock.lock();
    work.state_ = CryptoWork::State::idle;
    lock.unlock();
    done_.notify_all();
    lock.lock();
  }
}

}  // namespace wg
