// Whole devices with their threads and sockets, on the loopback interface: everything at once, for the sanitizers to watch.
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <random>
#include <thread>

#include "../../src/device/device.h"
#include "../check.h"

namespace {

using namespace wg;

constexpr auto patience = std::chrono::seconds(60);

Key random_key() {
  Key key;
  random_bytes(key.span());
  return key;
}

/// An IPv4 packet of `size` bytes from 10.0.0.`from` to 10.0.0.`to`.
std::vector<uint8_t> packet(uint8_t from, uint8_t to, size_t size) {
  std::vector<uint8_t> out(size);
  out[0] = 0x45;
  store_be16(&out[2], static_cast<uint16_t>(size));
  const uint8_t addresses[] = {10, 0, 0, from, 10, 0, 0, to};
  std::copy(std::begin(addresses), std::end(addresses), out.begin() + 12);
  return out;
}

size_t threads_of_process() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<size_t>(std::distance(begin(tasks), end(tasks)));
}

/// A device on the loopback with a memory TUN, and a listener that counts its events.
class End {
 public:
  explicit End(uint8_t host, size_t crypto_threads = 0, std::optional<tun::HostTun> tun = {}) : host_(host) {
    int error = 0;
    device = Device::open({.private_key = random_key(),
                           .tun = std::move(tun),
                           .capture = std::nullopt,
                           .mtu = 1'420,
                           .bind = Endpoint::parse("127.0.0.1", 0),
                           .crypto_threads = crypto_threads,
                           .event_limit = 1'024,
                           .wake_owner = [this] { wake(); }},
                          error);
    EXPECT_EQ(error, 0);
  }

  void add(const End& other, const ProbeKeys& probe, bool initiate) {
    PeerConfig config;
    config.allowed_ips = {*Prefix::parse("10.0.0." + std::to_string(other.host_) + "/32")};
    config.initiate = initiate;
    config.probe = probe;
    peer = *device->add_peer(other.device->public_key(), config);
  }

  Path path_to(const End& other, SocketId from = 0) const {
    return {PathKind::udp, device->socket(from), *Endpoint::parse("127.0.0.1", other.port())};
  }
  uint16_t port() const { return device->socket(0)->port(); }

  /// Handles events until `type` has come `count` times.
  void await(EventType type, size_t count) {
    const auto end = std::chrono::steady_clock::now() + patience;
    while (seen_[static_cast<size_t>(type)] < count) {
      std::unique_lock lock(mutex_);
      EXPECT(ready_.wait_until(lock, end, [this] { return woken_; }));
      woken_ = false;
      lock.unlock();
      take();
    }
  }
  void take() {
    std::vector<Event> batch(64);
    for (size_t count; (count = device->events().take(batch)) > 0;) {
      for (const Event& event : std::span(batch).first(count)) seen_[static_cast<size_t>(event.type)]++;
    }
  }

  PeerId peer = 0;

 private:
  void wake() {
    const std::lock_guard lock(mutex_);
    woken_ = true;
    ready_.notify_one();
  }

  const uint8_t host_;
  std::mutex mutex_;
  std::condition_variable ready_;
  bool woken_ = false;
  size_t seen_[16] = {};

 public:
  std::unique_ptr<Device> device;  // last: its threads call wake
};

/// A host at full load, on the other end of a device's interface: TCP of four flows whose packets count, as fast as they are
/// taken. What comes back must count upwards, each flow for itself.
class BusyHost {
 public:
  BusyHost(uint8_t own, uint8_t other) : own_(own), other_(other) {
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends_), 0);
  }
  ~BusyHost() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    for (const int end : ends_) ::close(end);
  }

  std::optional<tun::HostTun> tun() const { return tun::HostTun::duplicate(ends_[0]); }
  void start() {
    thread_ = std::thread([this] { run(); });
  }
  uint64_t received() const { return received_; }

 private:
  static constexpr size_t flows = 4, size = 1'400;

  void run() {
    auto out = packet(own_, other_, size);
    out[9] = 6;
    out[32] = 0x50;
    out[33] = 0x10;
    std::array<uint32_t, flows> sent{}, heard{};
    std::vector<uint8_t> in(2'048);
    for (size_t i = 0; !stop_; i++) {
      const size_t flow = i % flows;
      store_be16(&out[20], static_cast<uint16_t>(flow));
      store_be32(&out[24], sent[flow] + 1);
      if (::send(ends_[1], out.data(), out.size(), MSG_NOSIGNAL) > 0) sent[flow]++;
      while (::recv(ends_[1], in.data(), in.size(), 0) > 0) {
        uint32_t& last = heard.at(load_be16(&in[20]));
        EXPECT(load_be32(&in[24]) > last);
        last = load_be32(&in[24]);
        received_++;
      }
    }
  }

  const uint8_t own_, other_;
  int ends_[2];
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> received_{0};
  std::thread thread_;
};

/// Random and almost right datagrams to one port, until told to stop. Some are longer than any packet of ours.
class Flood {
 public:
  explicit Flood(uint16_t port) : thread_([this, port] { run(port); }) {}
  ~Flood() {
    stop_ = true;
    thread_.join();
  }

 private:
  void run(uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const auto to = *Endpoint::parse("127.0.0.1", port);
    std::mt19937 random(1);
    std::vector<uint8_t> bytes(4'000);
    while (!stop_) {
      constexpr size_t sizes[] = {148, 92, 64, 32, 60, 20, 1, 4'000};
      const size_t size = sizes[random() % std::size(sizes)];
      for (uint8_t& byte : std::span(bytes).first(size)) byte = static_cast<uint8_t>(random());
      if (random() % 2 == 0) store_le32(bytes.data(), random() % 5);
      if (random() % 8 == 0) bytes[0] = 0xd7;
      ::sendto(fd, bytes.data(), size, 0, to.raw(), to.raw_size());
    }
    ::close(fd);
  }

  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace

TEST("two devices carry packets, pings and messages under a flood while sockets and paths change") {
  { const End warm_up(1); }  // a sanitizer may start a thread of its own
  const size_t threads_before = threads_of_process();
  {
    End left(1), right(2, 3);
    const Key towards_left = random_key(), towards_right = random_key();
    left.add(right, {towards_right, towards_left}, true);
    right.add(left, {towards_left, towards_right}, false);
    const Flood floods[] = {Flood(left.port()), Flood(right.port())};
    right.device->set_path(right.peer, right.path_to(left), {});
    left.device->set_path(left.peer, left.path_to(right), {});
    left.await(EventType::handshake, 1);

    uint64_t seq = 0;
    for (size_t round = 1; round <= 50; round++) {
      int error = 0;
      const auto extra = left.device->open_sockets(4, AF_INET, error);
      EXPECT_EQ(extra.size(), 4u);
      left.device->set_path(left.peer, left.path_to(right, extra[round % 4]->id()), left.path_to(right));
      for (int i = 0; i < 20; i++) {
        left.device->write_tun(packet(1, 2, 100));
        right.device->write_tun(packet(2, 1, 1'420));
      }
      // What is lost to the flood is sent again.
      const auto carried = [&] { return right.device->peer_counters()[0].counters.rx_packets; };
      const auto target = carried() + 1;
      const auto end = std::chrono::steady_clock::now() + patience;
      while (carried() < target) {
        EXPECT(std::chrono::steady_clock::now() < end);
        left.device->write_tun(packet(1, 2, 100));
        left.device->ping(left.peer, seq++, left.path_to(right), 0, false, 0);
        left.device->send_message(left.peer, seq++, left.path_to(right), packet(1, 2, 50));
        std::this_thread::yield();
      }
      for (const auto& socket : extra) left.device->close_socket(socket->id());
      left.device->set_path(left.peer, left.path_to(right), {});
      left.take();
      right.take();
    }
    right.await(EventType::ping, 1);
    right.await(EventType::message, 1);
    left.await(EventType::pong, 1);
    EXPECT(left.device->counters().rejected > 0);
  }
  EXPECT_EQ(threads_of_process(), threads_before);
}

TEST("256 sockets open, receive and close again and again, and no packet beside them is lost") {
  const auto descriptors = [] {
    const std::filesystem::directory_iterator open("/proc/self/fd");
    return std::distance(begin(open), end(open));
  };
  End left(1), right(2);
  const Key towards_left = random_key(), towards_right = random_key();
  left.add(right, {towards_right, towards_left}, true);
  right.add(left, {towards_left, towards_right}, false);
  right.device->set_path(right.peer, right.path_to(left), {});
  left.device->set_path(left.peer, left.path_to(right), {});
  left.await(EventType::handshake, 1);
  right.await(EventType::handshake, 1);

  const auto before = descriptors();
  constexpr size_t count = 256, rounds = 8;
  uint64_t seq = 0, sent = 0;
  const auto carried = [&] { return right.device->peer_counters()[0].counters.rx_packets; };
  const auto settle = [&] {
    const auto end = std::chrono::steady_clock::now() + patience;
    while (carried() < sent) {
      EXPECT(std::chrono::steady_clock::now() < end);
      std::this_thread::yield();
    }
  };
  for (size_t round = 1; round <= rounds; round++) {
    int error = 0;
    const auto extra = left.device->open_sockets(count, AF_INET, error);
    EXPECT_EQ(extra.size(), count);
    for (const auto& socket : extra) {
      // Bulk stays on the main socket; each of the others hears one message.
      left.device->write_tun(packet(1, 2, 1'000));
      if (++sent % 64 == 0) settle();
      const Path to{PathKind::udp, right.device->socket(0), *Endpoint::parse("127.0.0.1", socket->port())};
      EXPECT(right.device->send_message(right.peer, seq++, to, packet(2, 1, 50)));
    }
    left.await(EventType::message, count * round);
    for (const auto& socket : extra) {
      left.device->close_socket(socket->id());
      left.device->write_tun(packet(1, 2, 1'000));
      if (++sent % 64 == 0) settle();
      right.take();
    }
  }
  settle();
  EXPECT_EQ(carried(), sent);
  EXPECT_EQ(descriptors(), before);
}

TEST("devices that open and close at once leave no thread and no descriptor") {
  const auto descriptors = [] {
    const std::filesystem::directory_iterator open("/proc/self/fd");
    return std::distance(begin(open), end(open));
  };
  { const End warm_up(1); }
  const auto before = descriptors();
  const size_t threads_before = threads_of_process();
  for (int i = 0; i < 50; i++) {
    End left(1), right(2);
    const ProbeKeys probe{random_key(), random_key()};
    left.add(right, probe, true);
    right.add(left, probe, true);
    left.device->set_path(left.peer, left.path_to(right), {});
    left.device->write_tun(packet(1, 2, 100));
    if (i % 2 == 0) left.device->remove_peer(left.peer);
  }
  EXPECT_EQ(descriptors(), before);
  EXPECT_EQ(threads_of_process(), threads_before);
}

TEST("devices with a pool of threads keep every flow in order under full load, through new paths, and end in the middle of it") {
  { const End warm_up(1, 3); }
  const size_t threads_before = threads_of_process();
  for (int round = 0; round < 3; round++) {
    BusyHost left_host(1, 2), right_host(2, 1);
    End left(1, 3, left_host.tun()), right(2, 3, right_host.tun());
    const Key towards_left = random_key(), towards_right = random_key();
    left.add(right, {towards_right, towards_left}, true);
    right.add(left, {towards_left, towards_right}, false);
    right.device->set_path(right.peer, right.path_to(left), {});
    left.device->set_path(left.peer, left.path_to(right), {});
    left.await(EventType::handshake, 1);
    left_host.start();
    right_host.start();
    const auto end = std::chrono::steady_clock::now() + patience;
    for (uint64_t target = 1'000; target <= 10'000; target += 1'000) {
      while (left_host.received() < target || right_host.received() < target) {
        EXPECT(std::chrono::steady_clock::now() < end);
        std::this_thread::yield();
      }
      // The same way, told anew: another flow of batches.
      left.device->set_path(left.peer, left.path_to(right), left.path_to(right));
      left.device->set_path(left.peer, left.path_to(right), {});
    }
    if (round == 1) left.device->remove_peer(left.peer);
    right.device.reset();
    left.device.reset();
  }
  EXPECT_EQ(threads_of_process(), threads_before);
}
