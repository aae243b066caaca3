#include "inbound.h"

namespace wg {
bool Inbox::push(PeerId peer, ByteView bytes) {
  const std::lock_guard lock(mutex_);
  if (size_ == limit) return false;
  Item& slot = slots_[(head_ + size_++) % limit];
  slot.peer = peer;
  slot.bytes.assign(bytes.begin(), bytes.end());
  return true;
}

size_t Inbox::take(std::span<Item> out) {
  const std::lock_guard lock(mutex_);
  size_t count = 0;
  while (count < out.size() && size_ > 0) {
    std::swap(out[count++], slots_[head_]);
    head_ = (head_ + 1) % limit;
    size_--;
  }
  return count;
}

Inbound::Inbound(State& state, Inbox& inbox, HostWriter& host)
    : state_(state), inbox_(inbox), host_(host), sender_(state, false) {
  // Items point at their arrivals: these may not move.
  arrivals_.reserve(udp::ReceiveBatch::capacity);
  items_.reserve(max_items);
  sessions_.reserve(max_items);
}

void Inbound::receive(const std::shared_ptr<udp::Socket>& socket) {
  for (const udp::Received& received : batch_.receive(*socket)) {
    const Arrival& arrival = arrivals_.emplace_back(Arrival{{PathKind::udp, socket, received.from, 0}, 0});
    udp::split(received, [&](ByteSpan datagram) { add(arrival, datagram); });
  }
  process();
  host_.flush();
  arrivals_.clear();
}

void Inbound::receive_external() {
  while (const size_t count = inbox_.take(external_)) {
    for (Inbox::Item& item : std::span(external_).first(count)) {
      add(arrivals_.emplace_back(Arrival{{PathKind::external, nullptr, {}, 0}, item.peer}), item.bytes);
    }
    process();
    host_.flush();
    arrivals_.clear();
  }
}

void Inbound::run_timers() {
  const Now now = read_clocks();
  {
    const std::lock_guard lock(state_.mutex);
    state_.core.run_timers(now, effects_);
  }
  sender_.run(effects_);
}

void Inbound::add(const Arrival& arrival, ByteSpan datagram) {
  if (items_.size() == max_items) process();
  items_.push_back({&arrival, datagram, nullptr, {}});
}

void Inbound::process() {
  if (items_.empty()) return;
  const Now now = read_clocks();
  classify(now);
  sender_.run(effects_);
  if (open()) {
    check(now);
    sender_.run(effects_);
    for (const Item& item : items_) {
      if (!item.inner.empty()) host_.add(item.inner);
    }
  }
  items_.clear();
  sessions_.clear();
}

void Inbound::classify(const Now& now) {
  const std::lock_guard lock(state_.mutex);
  for (Item& item : items_) {
    // A run of data under one key looks its session up once.
    if (!sessions_.empty() && sessions_.back()->receives(item.datagram)) {
      item.session = sessions_.back().get();
    } else if (auto session = state_.core.receive(now, *item.arrival, item.datagram, effects_)) {
      item.session = sessions_.emplace_back(std::move(session)).get();
    }
  }
}

// False when nothing was authentic.
bool Inbound::open() {
  bool any = false;
  for (Item& item : items_) {
    if (!item.session) continue;
    if (const auto inner = item.session->open(item.datagram)) {
      item.inner = *inner;
      any = true;
    } else {
      item.session = nullptr;
      state_.rejected++;
    }
  }
  return any;
}

void Inbound::check(const Now& now) {
  const std::lock_guard lock(state_.mutex);
  for (Item& item : items_) {
    if (!item.session) continue;
    const ByteView packet =
        state_.core.received_data(now, *item.session, *item.arrival, item.inner, item.datagram.size(), effects_);
    item.inner = item.inner.first(packet.size());
  }
}

}  // namespace wg
