// Many datagrams a system call, and what happens where the kernel will not cut or has no room.
#include <sys/socket.h>
#include <sys/syscall.h>

#include <atomic>
#include <cerrno>

#include "../src/device/device.h"
#include "half.h"

namespace {
/// Sends that find a full socket from now on, of many datagrams and of one: the loopback's never are.
std::atomic<int> full_batches{0}, full_singles{0};

bool finds_it_full(std::atomic<int>& sends) {
  if (sends == 0) return false;
  sends--;
  errno = EAGAIN;
  return true;
}
}  // namespace

extern "C" {
int sendmmsg(int fd, mmsghdr* messages, unsigned count, int flags) {
  return finds_it_full(full_batches) ? -1 : static_cast<int>(syscall(SYS_sendmmsg, fd, messages, count, flags));
}
ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  return finds_it_full(full_singles) ? -1 : syscall(SYS_sendmsg, fd, message, flags);
}
}

namespace {

using namespace wg;
using namespace wg::udp;

struct Pair {
  Pair() {
    int error = 0;
    const SocketOptions options{*Endpoint::parse("127.0.0.1", 0), 0};
    from = Socket::open(0, options, error);
    to = Socket::open(1, options, error);
    EXPECT_EQ(error, 0);
    target = *Endpoint::parse("127.0.0.1", to->port());
  }

  /// Numbered datagrams of these lengths, in one batch. How many were dropped.
  size_t send(const std::vector<size_t>& lengths) {
    SendBatch batch;
    std::vector<std::vector<uint8_t>> datagrams;
    for (const size_t length : lengths) datagrams.emplace_back(length, static_cast<uint8_t>(datagrams.size()));
    for (const auto& datagram : datagrams) batch.add(*from, target, datagram);
    return batch.flush(patience_ms, failures);
  }
  /// Each has come once, in order.
  void receive(const std::vector<size_t>& lengths) {
    ReceiveBatch batch;
    for (size_t next = 0; next < lengths.size();) {
      for (const Received& read : batch.receive(*to)) {
        split(read, [&](ByteSpan datagram) {
          EXPECT_EQ(datagram.size(), lengths[next]);
          EXPECT_EQ(datagram[0], static_cast<uint8_t>(next));
          next++;
        });
        batch.release(read.buffer);
      }
    }
  }
  /// Cut sends are EINVAL from here on: the kernel cuts nothing that has no checksum.
  void refuse_to_cut() {
    const int on = 1;
    EXPECT_EQ(::setsockopt(from->fd(), SOL_SOCKET, SO_NO_CHECK, &on, sizeof on), 0);
  }

  std::shared_ptr<Socket> from, to;
  Endpoint target;
  int patience_ms = 1;
  std::vector<SendFailure> failures;
};

const std::vector<size_t> three_runs{1'000, 1'000, 1'000, 400, 1'200, 1'200, 1'200, 1'200, 90, 90, 90};

}  // namespace

TEST("send batch: runs of equal datagrams, the last of which may be shorter, arrive one by one and in order") {
  Pair pair;
  EXPECT(pair.from->segments());
  EXPECT_EQ(pair.send(three_runs), 0u);
  EXPECT(pair.failures.empty());
  pair.receive(three_runs);
  EXPECT(pair.from->segments());
}

TEST("send batch: not one datagram is lost where the kernel refuses to cut, and it is not asked again") {
  Pair pair;
  pair.refuse_to_cut();
  full_singles = 1;
  EXPECT_EQ(pair.send(three_runs), 0u);
  EXPECT_EQ(full_singles.load(), 0);
  EXPECT(pair.failures.empty());
  EXPECT(!pair.from->segments());
  pair.receive(three_runs);
  EXPECT_EQ(pair.send(three_runs), 0u);
  pair.receive(three_runs);
}

TEST("send batch: a full socket is waited for once, by who has the patience") {
  Pair pair;
  full_batches = 1;
  EXPECT_EQ(pair.send(three_runs), 0u);
  pair.receive(three_runs);
  full_batches = 2;
  EXPECT_EQ(pair.send(three_runs), three_runs.size());
  pair.patience_ms = 0;
  full_batches = 1;
  EXPECT_EQ(pair.send(three_runs), three_runs.size());
  EXPECT(pair.failures.empty());
}

TEST("send batch: an answer is not lost because bulk fills the socket") {
  test::Half left(1), right(2);
  left.meet(right);
  right.meet(left);
  right.aim(left);
  left.aim(right);
  // The response to the initiation that waits.
  full_batches = 1;
  for (int i = 0; i < 100 && full_batches > 0; i++) right.receive();
  EXPECT_EQ(full_batches.load(), 0);
  for (int i = 0; i < 100; i++) left.receive();
  EXPECT(left.usable());
}

TEST("send batch: nor is what the owner sends") {
  int error = 0;
  const auto device = Device::open({.private_key = test::Half::random_key(),
                                    .tun = std::nullopt,
                                    .capture = std::nullopt,
                                    .mtu = 1'420,
                                    .bind = Endpoint::parse("127.0.0.1", 0),
                                    .event_limit = 64,
                                    .wake_owner = [] {}},
                                   error);
  EXPECT_EQ(error, 0);
  const auto socket = device->socket(0);
  full_singles = 1;
  EXPECT(device->send(*socket, *Endpoint::parse("127.0.0.1", socket->port()), Bytes<4>{}, 0));
}
