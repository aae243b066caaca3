#include "inbound.h"

#include "../queue/classify.h"

namespace wg {
namespace {

/// The longest datagram whose packet passes bulk; of marked ones only the sender knows.
const size_t express_datagram = Session::sealed_size(queue::small_packet - 1, queue::small_packet);
/// Tuning: places for reads of bulk that wait, which are fewer than the batch has buffers, and for what came between. Where they
/// would not do for another batch the rest waits in the socket.
constexpr size_t places = 256;
/// Small datagrams of one read that have a place each: as many as the kernel joins (UDP_GRO_CNT_MAX). More wait like bulk.
constexpr size_t most_joined = 64;
/// Tuning: bulk that is opened between two looks at the sockets: enough for a frame that the host takes as one.
constexpr size_t bulk_burst = 65'536;
/// Tuning: reads of one socket before it is another's turn; a flood does not end.
constexpr size_t rounds = 16;

}  // namespace

bool Inbox::push(PeerId peer, ByteView bytes) {
  const std::lock_guard lock(mutex_);
  if (size_ >= (bytes.size() > express_datagram ? bulk_limit : limit)) return false;
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

Inbound::Inbound(State& state, Inbox& inbox, HostWriter& host, CryptoPool* pool)
    : state_(state),
      inbox_(inbox),
      host_(host),
      sender_(state, answer_patience_ms),
      waiting_(places),
      pool_(pool),
      pooled_(pool ? pool->depth() : 0) {
  // Items point at their arrivals: these may not move.
  arrivals_.reserve(udp::ReceiveBatch::capacity);
  done_.reserve(udp::ReceiveBatch::capacity);
}

Inbound::~Inbound() {
  while (receive_bulk()) {
  }
}

void Inbound::receive(const std::shared_ptr<udp::Socket>& socket) {
  for (size_t round = 0; round < rounds && !batch_.full() && has_places(); round++) {
    const uint64_t begin = next_;
    for (const udp::Received& read : batch_.receive(*socket)) {
      Arrival arrival{{PathKind::udp, socket, read.from, 0}, 0};
      if (read.segment > express_datagram || udp::count(read) > most_joined) {
        keep(Waiting::Kind::sealed, std::move(arrival), read);
      } else {
        receive_small(std::move(arrival), read);
      }
    }
    process();
    release_passed(begin);
    finish();
    if (batch_.drained()) return;
  }
}

// Opened at once. Behind what waits they have a place, because only then is known what they hold.
void Inbound::receive_small(Arrival arrival, const udp::Received& read) {
  const Arrival& kept = arrivals_.emplace_back(std::move(arrival));
  uint64_t place = Opening::no_place;
  if (first_ < next_) {
    place = next_;
    keep(Waiting::Kind::gone, {}, read);
  } else {
    done_.push_back(read.buffer);
  }
  udp::split(read, [&](ByteSpan datagram) { add(kept, datagram, place); });
}

// Small datagrams that have come since `begin`, and of which nothing stays.
void Inbound::release_passed(uint64_t begin) {
  for (uint64_t place = begin; place < next_; place++) {
    if (waiting(place).kind == Waiting::Kind::gone) done_.push_back(waiting(place).read.buffer);
  }
}

void Inbound::keep(Waiting::Kind kind, Arrival arrival, const udp::Received& read) {
  waiting(next_++) = {kind, std::move(arrival), read};
  if (kind == Waiting::Kind::sealed) bulk_bytes_ += read.bytes.size();
}

bool Inbound::receive_bulk() {
  hand_in();
  for (size_t bytes = 0; first_ < next_ && bytes < bulk_burst;) {
    Waiting& next = waiting(first_);
    if (next.kind == Waiting::Kind::sealed && first_ < handed_to_) {
      bytes += collect();
      continue;
    }
    first_++;
    if (next.kind == Waiting::Kind::gone) continue;
    if (next.kind == Waiting::Kind::opened) {
      deliver_late(next);
      continue;
    }
    udp::split(next.read, [&](ByteSpan datagram) { add(next.arrival, datagram); });
    process();
    bytes += leave(next);
  }
  finish();
  return first_ < next_;
}

// As much of what waits as the pool has use for. What is no more than one batch is opened here: nothing else is to be done
// meanwhile.
void Inbound::hand_in() {
  if (!pool_ || (collected_ == handed_in_ && bulk_bytes_ <= bulk_burst)) return;
  handed_to_ = std::max(handed_to_, first_);
  while (handed_to_ < next_ && handed_in_ - collected_ < pooled_.size()) {
    Opening& batch = pooled_[handed_in_ % pooled_.size()];
    gather(batch);
    if (batch.empty()) return;
    handed_in_++;
    classify(batch);
    pool_->hand_in(batch);
  }
}

// Reads that follow one another; a packet that has to keep its place between two of them ends the batch.
void Inbound::gather(Opening& batch) {
  size_t bytes = 0;
  for (; handed_to_ < next_; handed_to_++) {
    const Waiting& next = waiting(handed_to_);
    if (next.kind == Waiting::Kind::gone || (next.kind == Waiting::Kind::opened && batch.empty())) continue;
    const size_t count = udp::count(next.read);
    const bool fits = bytes + next.read.bytes.size() <= bulk_burst && batch.items().size() + count <= Opening::max_items;
    if (next.kind == Waiting::Kind::opened || (!fits && !batch.empty())) break;
    udp::split(next.read, [&](ByteSpan datagram) { batch.add(next.arrival, datagram, Opening::no_place); });
    bytes += next.read.bytes.size();
  }
  batch.end = handed_to_;
}

// What was handed in first is delivered first. How many bytes that were.
size_t Inbound::collect() {
  Opening& batch = pooled_[collected_ % pooled_.size()];
  pool_->complete(batch);
  collected_++;
  settle(batch);
  size_t bytes = 0;
  for (; first_ < batch.end; first_++) {
    if (waiting(first_).kind == Waiting::Kind::sealed) bytes += leave(waiting(first_));
  }
  return bytes;
}

// A read of bulk has been worked off, and its buffer is free with the next flush.
size_t Inbound::leave(Waiting& worked_off) {
  done_.push_back(worked_off.read.buffer);
  worked_off.arrival = {};
  bulk_bytes_ -= worked_off.read.bytes.size();
  return worked_off.read.bytes.size();
}

// What was delivered reaches the host, and its memory is free again.
void Inbound::finish() {
  host_.flush();
  for (const size_t buffer : done_) batch_.release(buffer);
  done_.clear();
  arrivals_.clear();
}

void Inbound::receive_external() {
  while (const size_t count = inbox_.take(external_)) {
    for (Inbox::Item& item : std::span(external_).first(count)) {
      add(arrivals_.emplace_back(Arrival{{PathKind::external, nullptr, {}, 0}, item.peer}), item.bytes);
    }
    process();
    finish();
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

void Inbound::add(const Arrival& arrival, ByteSpan datagram, uint64_t place) {
  if (now_.full()) process();
  now_.add(arrival, datagram, place);
}

void Inbound::process() {
  if (now_.empty()) return;
  classify(now_);
  now_.run();
  settle(now_);
}

void Inbound::classify(Opening& batch) {
  const Now now = read_clocks();
  {
    const std::lock_guard lock(state_.mutex);
    batch.classify(now, state_.core, effects_);
  }
  sender_.run(effects_);
}

// Once it has been opened.
void Inbound::settle(Opening& batch) {
  if (accept(batch)) {
    check(batch);
    sender_.run(effects_);
  }
  for (const Opening::Item& item : batch.items()) {
    if (queue::is_play(item.inner)) state_.played_at.store(read_clocks().boot_ns, std::memory_order_relaxed);
    deliver(item);
  }
  batch.clear();
}

// What must not pass the bulk before it waits for it.
void Inbound::deliver(const Opening::Item& item) {
  if (item.inner.empty()) return;
  if (item.place == Opening::no_place || !queue::keeps_order(item.inner)) return host_.add(item.inner);
  Waiting& place = waiting(item.place);
  place.kind = Waiting::Kind::opened;
  place.stays |= uint64_t{1} << static_cast<size_t>(item.datagram.data() - place.read.bytes.data()) / place.read.segment;
}

void Inbound::deliver_late(const Waiting& opened) {
  done_.push_back(opened.read.buffer);
  size_t number = 0;
  udp::split(opened.read, [&](ByteSpan datagram) {
    if ((opened.stays >> number++ & 1) == 0) return;
    const ByteSpan inner = datagram.subspan(data_header_size);
    host_.add(inner.first(InnerHeader::parse(inner)->length));
  });
}

// In the order in which messages came, whoever opened them. False when there is none.
bool Inbound::accept(Opening& batch) {
  bool any = false;
  for (Opening::Item& item : batch.items()) {
    if (!item.session) continue;
    if (item.authentic && item.session->accept(item.datagram)) {
      any = true;
    } else {
      item.session = nullptr;
      item.inner = {};
      state_.rejected++;
    }
  }
  return any;
}

void Inbound::check(Opening& batch) {
  const Now now = read_clocks();
  const std::lock_guard lock(state_.mutex);
  for (Opening::Item& item : batch.items()) {
    if (!item.session) continue;
    const ByteView packet =
        state_.core.received_data(now, *item.session, *item.arrival, item.inner, item.datagram.size(), effects_);
    item.inner = item.inner.first(packet.size());
  }
}

}  // namespace wg
