#include "inbound.h"

namespace wg {
namespace {

// A sealed packet of our own MTU or of an ordinary Ethernet, whichever is more; an odd number of cache lines.
size_t slot_size_for(size_t mtu) {
  const size_t lines = (std::max<size_t>(mtu, 1'500) + data_overhead + 15 + 63) / 64;
  return (lines | 1) * 64;
}

}  // namespace

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

Inbound::Inbound(State& state, Inbox& inbox, HostSink deliver)
    : state_(state),
      inbox_(inbox),
      deliver_(std::move(deliver)),
      sender_(state, false),
      batch_(slot_size_for(state.core.mtu())) {
  items_.reserve(udp::ReceiveBatch::capacity);
}

void Inbound::receive(const std::shared_ptr<udp::Socket>& socket) {
  size_t oversized = 0;
  for (const udp::Received& received : batch_.receive(*socket, oversized)) {
    items_.push_back({{{PathKind::udp, socket, received.from, 0}, 0}, received.bytes, nullptr, {}, {}});
  }
  state_.rejected += oversized;
  process();
}

void Inbound::receive_external() {
  while (const size_t count = inbox_.take(external_)) {
    for (Inbox::Item& item : std::span(external_).first(count)) {
      items_.push_back({{{PathKind::external, nullptr, {}, 0}, item.peer}, item.bytes, nullptr, {}, {}});
    }
    process();
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

void Inbound::process() {
  if (items_.empty()) return;
  const Now now = read_clocks();
  {
    const std::lock_guard lock(state_.mutex);
    for (Item& item : items_) item.session = state_.core.receive(now, item.arrival, item.datagram, effects_);
  }
  sender_.run(effects_);

  size_t opened = 0;
  for (Item& item : items_) {
    if (!item.session) continue;
    if (const auto inner = item.session->open(item.datagram)) {
      item.inner = *inner;
      opened++;
    } else {
      item.session.reset();
      state_.rejected++;
    }
  }
  if (opened > 0) {
    {
      const std::lock_guard lock(state_.mutex);
      for (Item& item : items_) {
        if (!item.session) continue;
        item.host = state_.core.received_data(now, *item.session, item.arrival, item.inner, item.datagram.size(),
                                              effects_);
      }
    }
    sender_.run(effects_);
    for (const Item& item : items_) {
      if (!item.host.empty()) deliver_(item.host);
    }
  }
  items_.clear();
}

}  // namespace wg
