// Datagrams that are worked off in one go, under one look at the lock on either side of their opening.
#pragma once

#include "core.h"
#include "crypto_pool.h"

namespace wg {

class Opening final : public CryptoWork {
 public:
  /// More than a read holds of those that wait for their turn.
  static constexpr size_t max_items = 256;
  static constexpr uint64_t no_place = ~uint64_t{0};

  struct Item {
    const Arrival* arrival;
    ByteSpan datagram;
    /// Null for what is no data.
    Session* session;
    bool authentic;
    ByteSpan inner;
    /// Of a small datagram that came behind bulk.
    uint64_t place;
  };

  Opening() : aead_(Key()) {
    items_.reserve(max_items);
    sessions_.reserve(max_items);
  }

  bool empty() const { return items_.empty(); }
  bool full() const { return items_.size() == max_items; }
  /// Arrival and datagram must stay until `clear`.
  void add(const Arrival& arrival, ByteSpan datagram, uint64_t place) {
    items_.push_back({&arrival, datagram, nullptr, false, {}, place});
  }
  std::span<Item> items() { return items_; }
  /// For its owner: behind the last of the reads that it holds.
  uint64_t end = 0;

  /// Locked. Does what is no data, and finds the sessions for what is.
  void classify(const Now& now, Core& core, Effects& effects) {
    for (Item& item : items_) {
      // A run of data under one key looks its session up once.
      if (!sessions_.empty() && sessions_.back()->receives(item.datagram)) {
        item.session = sessions_.back().get();
      } else if (auto session = core.receive(now, *item.arrival, item.datagram, effects)) {
        item.session = sessions_.emplace_back(std::move(session)).get();
      }
    }
  }

  /// Opens the data in place. Whether a counter is new is still to be asked, in order. Any thread, once.
  void run() override {
    const Session* keyed = nullptr;
    for (Item& item : items_) {
      if (!item.session) continue;
      if (item.session != keyed) {
        keyed = item.session;
        keyed->key_opener(aead_);
      }
      const auto inner = Session::open_with(aead_, item.datagram);
      item.authentic = inner.has_value();
      item.inner = inner.value_or(ByteSpan());
    }
  }

  void clear() {
    items_.clear();
    sessions_.clear();
    aead_.forget_key();
  }

 private:
  std::vector<Item> items_;
  // Keeps the sessions of the items.
  std::vector<std::shared_ptr<Session>> sessions_;
  Aead aead_;
};

}  // namespace wg
