#include "device.h"

#include <cerrno>
#include <csignal>
#include <ctime>

#include "host_reader.h"
#include "readdress.h"
#include "turn.h"

namespace wg {
namespace {

/// One packet of write_tun, and a copy for each peer.
constexpr HostQueueOptions memory_places{2, 256};

/// Tuning: captured broadcasts in one go. More than the limits let through in 100 ms.
constexpr size_t drained_captures = 32;

int64_t nanoseconds_of(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// Threads inherit the mask of their maker: while this lives, all signals are off.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

}  // namespace

Now read_clocks() {
  return {nanoseconds_of(CLOCK_BOOTTIME), static_cast<double>(nanoseconds_of(CLOCK_MONOTONIC)) / 1e6,
          nanoseconds_of(CLOCK_REALTIME)};
}

Device::Device(DeviceOptions options)
    : bind_(options.bind),
      port_(options.port),
      mark_(options.mark),
      crypto_threads_(options.crypto_threads.value_or(default_crypto_threads(usable_cores()))),
      state_(options.private_key, options.mtu, options.event_limit, std::move(options.wake_owner)),
      tun_(std::move(options.tun)),
      capture_(std::move(options.capture)),
      memory_out_(state_, memory_places, false),
      sender_(state_, answer_patience_ms) {}

std::unique_ptr<Device> Device::open(DeviceOptions options, int& error) {
  std::unique_ptr<Device> device(new Device(std::move(options)));
  error = device->state_.poller.ready() ? device->open_main_sockets() : EMFILE;
  if (error != 0) return nullptr;
  device->start();
  return device;
}

Device::~Device() {
  stopping_ = true;
  state_.poller.wake();
  if (tun_) tun_->stop();
  if (network_.joinable()) network_.join();
  if (host_.joinable()) host_.join();
}

int Device::add_socket(SocketId id, const Endpoint& bind) {
  int error = 0;
  const auto socket = udp::Socket::open(id, {bind, mark_}, error);
  if (!socket) return error;
  {
    const std::lock_guard lock(state_.mutex);
    state_.sockets[id] = socket;
  }
  state_.poller.add(*socket);
  return 0;
}

// Socket 0 is IPv4, socket 1 IPv6. A bind address leaves only its own family.
int Device::open_main_sockets() {
  if (bind_) {
    const auto local = Endpoint::parse(bind_->ip(), port_);
    return add_socket(local->is_v4() ? 0 : 1, *local);
  }
  if (const int error = add_socket(0, Endpoint::any(AF_INET, port_))) return error;
  // The same number where it can be had; hosts without IPv6 go on without.
  const uint16_t same = state_.sockets[0]->port();
  if (add_socket(1, Endpoint::any(AF_INET6, same)) != 0) add_socket(1, Endpoint::any(AF_INET6, 0));
  return 0;
}

void Device::start() {
  if (tun_ && capture_) tun_->wait_for(capture_->fd());
  // Signals belong to the host's own threads.
  const SignalsBlocked blocked;
  if (crypto_threads_ > 0) pool_ = std::make_unique<CryptoPool>(crypto_threads_);
  network_ = std::thread([this] { network_loop(); });
  if (tun_) host_ = std::thread([this] { host_loop(); });
}

// What the device answers in the members' place.
void Device::deliver_answers(Outbound& outbound) {
  for (const auto& answer : outbound.take_answers()) {
    const ByteView packet(answer);
    if (!tun_) {
      state_.events.push(EventType::packet, 0, packet);
    } else if (tun_->write({&packet, 1}, {}) != 0) {
      state_.tx_dropped++;
    }
  }
}

void Device::network_loop() {
  HostWriter host(state_, tun_ ? &*tun_ : nullptr);
  Inbound inbound(state_, inbox_, host, pool_.get());
  std::vector<SocketId> readable;
  Nanos timer = never;
  bool bulk_waits = false;
  Turn turn;
  while (!stopping_) {
    Nanos deadline;
    {
      const std::lock_guard lock(state_.mutex);
      deadline = state_.armed = state_.core.next_deadline();
    }
    if (deadline != timer) state_.poller.set_deadline(timer = deadline);
    if (bulk_waits) turn.next(read_clocks().boot_ns, state_.played_at);
    state_.poller.wait(readable, bulk_waits);
    if (!bulk_waits) turn.end();
    for (const SocketId id : readable) {
      if (const auto ready = socket(id)) inbound.receive(ready);
    }
    bulk_waits = inbound.receive_bulk();
    inbound.receive_external();
    inbound.run_timers();
  }
}

void Device::host_loop() {
  Outbound outbound(state_, host_queue_places, true, pool_.get());
  Turn turn;
  bool slept = false;
  while (!stopping_) {
    const int last = read_host(*tun_, outbound, state_.played_at, slept);
    deliver_answers(outbound);
    if (last < 0) {
      Event event;
      event.type = EventType::failed;
      event.error = -last;
      state_.events.push(std::move(event));
      return;
    }
    const Nanos next = outbound.send();
    slept = last == 0 && next > 0;
    if (!slept && outbound.sent_bulk()) turn.next(read_clocks().boot_ns, state_.played_at);
    const bool heard = !slept || tun_->wait(next == never ? never : next - read_clocks().boot_ns);
    if (slept) turn.end();
    if (heard) drain_capture(outbound);
  }
}

// What games said to another interface's network, as if they had said it to the tunnel's. Read even while it is not wanted:
// nothing old may wait there for the time when it is.
void Device::drain_capture(Outbound& outbound) {
  if (!capture_) return;
  std::vector<uint8_t> space;
  const Now now = read_clocks();
  for (size_t i = 0; i < drained_captures; i++) {
    const ByteView captured = capture_->read(now.boot_ns);
    if (captured.empty()) break;
    std::optional<FanoutSubnet> subnet;
    {
      const std::lock_guard lock(state_.mutex);
      subnet = state_.core.fanout().copies_to();
    }
    const auto packet = Ipv4Packet::parse(captured);
    if (!subnet || !packet) continue;
    space.resize(mtu());
    readdress(*packet, subnet->own, subnet->broadcast, space, [&](ByteView copy) {
      copy_bytes(copy, outbound.room().data());
      outbound.arrived(copy.size(), {});
    });
  }
  if (!capture_->ended()) return;
  tun_->forget(capture_->fd());
  capture_.reset();
}

// After a call that may have set timers and left effects.
void Device::rearm() {
  bool wake;
  {
    const std::lock_guard lock(state_.mutex);
    wake = state_.oversleeps();
  }
  if (wake) state_.poller.wake();
  sender_.run(effects_);
}

std::optional<PeerId> Device::add_peer(const PublicKey& key, const PeerConfig& config) {
  const std::lock_guard lock(state_.mutex);
  return state_.core.add_peer(key, config);
}

bool Device::update_peer(PeerId id, const PeerChange& change) {
  const Now now = read_clocks();
  {
    const std::lock_guard lock(state_.mutex);
    Peer* peer = state_.core.find(id);
    if (!peer) return false;
    state_.core.update_peer(now, *peer, change);
  }
  rearm();
  return true;
}

void Device::remove_peer(PeerId id) {
  const std::lock_guard lock(state_.mutex);
  state_.core.remove_peer(id);
}

bool Device::set_path(PeerId id, Path path, Path duplicate) {
  const Now now = read_clocks();
  {
    const std::lock_guard lock(state_.mutex);
    Peer* peer = state_.core.find(id);
    if (!peer) return false;
    state_.core.set_path(now, *peer, std::move(path), std::move(duplicate), effects_);
  }
  rearm();
  return true;
}

bool Device::has_probe_keys(PeerId id) {
  const std::lock_guard lock(state_.mutex);
  const Peer* peer = state_.core.find(id);
  return peer && peer->probe;
}

std::vector<std::shared_ptr<udp::Socket>> Device::open_sockets(size_t count, int family, int& error) {
  std::vector<std::shared_ptr<udp::Socket>> opened;
  const Endpoint local = bind_ && bind_->family() == family ? *Endpoint::parse(bind_->ip(), 0) : Endpoint::any(family, 0);
  while (opened.size() < count) {
    const SocketId id = next_socket_;
    error = add_socket(id, local);
    if (error != 0) break;
    next_socket_++;
    opened.push_back(socket(id));
  }
  return opened;
}

void Device::close_socket(SocketId id) {
  const std::shared_ptr<udp::Socket> closing = id < 2 ? nullptr : socket(id);
  if (!closing) return;
  state_.poller.remove(*closing);
  const std::lock_guard lock(state_.mutex);
  state_.sockets.erase(id);
  state_.core.forget_socket(*closing);
}

std::vector<std::shared_ptr<udp::Socket>> Device::sockets() {
  const std::lock_guard lock(state_.mutex);
  std::vector<std::shared_ptr<udp::Socket>> out;
  for (const auto& [id, socket] : state_.sockets) out.push_back(socket);
  return out;
}

std::shared_ptr<udp::Socket> Device::socket(SocketId id) {
  const std::lock_guard lock(state_.mutex);
  const auto entry = state_.sockets.find(id);
  return entry == state_.sockets.end() ? nullptr : entry->second;
}

bool Device::send(udp::Socket& socket, const Endpoint& to, ByteView bytes, int ttl) {
  const Now now = read_clocks();
  {
    const std::lock_guard lock(state_.mutex);
    state_.core.stun().sent(bytes, now.mono_ms);
    state_.core.sends(now, socket, to);
  }
  int error = socket.send(to, bytes, ttl);
  if (udp::is_full(error)) {
    socket.wait_for_room(answer_patience_ms);
    error = socket.send(to, bytes, ttl);
  }
  if (error != 0 && !udp::is_full(error)) report_send_error(state_, socket, error);
  return error == 0;
}

bool Device::ping(PeerId id, uint64_t seq, const Path& via, size_t size, bool doubly, int ttl) {
  // Header and MAC are 36 bytes; 24 is the shortest body.
  std::vector<uint8_t> body(std::max<size_t>(size, 60) - 36);
  if (doubly) body[0] = ping_doubly;
  std::vector<uint8_t> probe;
  {
    const std::lock_guard lock(state_.mutex);
    Peer* peer = state_.core.find(id);
    if (!peer || !peer->probe) return false;
    probe = state_.core.seal_probe(*peer, ProbeKind::ping, seq, body);
    state_.core.ping_sent(*peer, seq, doubly, read_clocks().mono_ms);
  }
  return send_probe(via, id, probe, ttl);
}

bool Device::send_message(PeerId id, uint64_t seq, const Path& via, ByteView body) {
  std::vector<uint8_t> probe;
  {
    const std::lock_guard lock(state_.mutex);
    Peer* peer = state_.core.find(id);
    if (!peer || !peer->probe) return false;
    probe = state_.core.seal_probe(*peer, ProbeKind::message, seq, body);
  }
  return send_probe(via, id, probe, 0);
}

bool Device::send_probe(const Path& via, PeerId id, ByteView bytes, int ttl) {
  if (via.kind == PathKind::udp) return send(*via.socket, via.to, bytes, ttl);
  state_.events.push(EventType::outbound, id, bytes);
  return true;
}

void Device::receive_external(PeerId id, ByteView bytes) {
  if (inbox_.push(id, bytes)) {
    state_.poller.wake();
  } else {
    state_.receive_dropped++;
  }
}

void Device::write_tun(ByteView packet) {
  copy_bytes(packet, memory_out_.room().data());
  memory_out_.arrived(packet.size(), {});
  memory_out_.admit();
  deliver_answers(memory_out_);
  while (memory_out_.send() == 0) {
  }
}

void Device::set_fanout(bool enabled, std::optional<uint32_t> directed_broadcast, std::optional<uint32_t> own) {
  const std::lock_guard lock(state_.mutex);
  state_.core.fanout().configure(enabled, directed_broadcast, own);
}

void Device::allow_new_remotes(uint64_t total) {
  const std::lock_guard lock(state_.mutex);
  state_.core.allow_new_remotes(total);
}

void Device::set_filter(std::optional<FilterOptions> options) {
  const std::lock_guard lock(state_.mutex);
  state_.core.set_filter(std::move(options));
}

DeviceCounters Device::counters() {
  const Now now = read_clocks();
  const uint64_t events_dropped = state_.events.dropped();
  const std::lock_guard lock(state_.mutex);
  const CoreCounters& core = state_.core.counters();
  return {events_dropped, core.rejected + state_.rejected, core.tx_dropped + state_.tx_dropped, core.route_misses,
          state_.express_dropped, state_.bulk_dropped, state_.bulk_late, state_.bulk_queued, state_.bulk_wait,
          state_.receive_dropped,
          state_.core.load().under_load(now.boot_ns), state_.core.fanout().counters()};
}

std::vector<Device::PeerSnapshot> Device::peer_counters() {
  const std::lock_guard lock(state_.mutex);
  std::vector<PeerSnapshot> out;
  for (const auto& [id, peer] : state_.core.peers()) {
    out.push_back({id, peer->counters, peer->pacer.rate(), peer->fanout.carried, peer->fanout.dropped});
  }
  return out;
}

}  // namespace wg
