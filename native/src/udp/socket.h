// A UDP socket and batches of datagrams. The platform's half is in linux_socket.cc.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "endpoint.h"

namespace wg::udp {

using SocketId = uint32_t;

struct SocketOptions {
  Endpoint bind;
  uint32_t mark = 0;
};

/// One bound, non-blocking socket, closed with its last owner. IPv6 sockets take IPv6 only.
class Socket {
 public:
  /// Nothing on failure, with the errno in `error`.
  static std::shared_ptr<Socket> open(SocketId id, const SocketOptions& options, int& error);
  ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  SocketId id() const { return id_; }
  int fd() const { return fd_; }
  int family() const { return local_.family(); }
  uint16_t port() const { return local_.port(); }

  /// One datagram now; `ttl` 0 is the system's. 0, or the errno.
  int send(const Endpoint& to, ByteView bytes, int ttl = 0) const;
  /// Waits for room in a full socket.
  void wait_for_room(int patience_ms) const;

  /// Whether the kernel cuts one long send into datagrams here (UDP_SEGMENT). It may refuse only once it is asked to.
  bool segments() const { return segments_.load(std::memory_order_relaxed); }
  void refuse_segments() { segments_.store(false, std::memory_order_relaxed); }

  /// True at most once a second: whether an error of this socket is worth a report.
  bool may_report_error(int64_t now_ns);

 private:
  Socket(SocketId id, int fd) : id_(id), fd_(fd) {}

  SocketId id_;
  int fd_;
  Endpoint local_;
  std::atomic<bool> segments_{false};
  std::atomic<int64_t> error_reported_{INT64_MIN / 2};
};

/// Whether a send failed because too much waits to leave.
bool is_full(int error);

/// Datagrams of a batch that did not leave.
struct SendFailure {
  Socket* socket;
  int error;
};

/// Collects datagrams and hands them to the kernel at once: those for one destination as few long sends, where it cuts them
/// itself, and in their order. Referenced memory must stay until flush.
class SendBatch {
 public:
  static constexpr size_t capacity = 256;
  /// Of one long send: UDP_MAX_SEGMENTS of older kernels, and an IPv4 datagram.
  static constexpr size_t max_segments = 64, max_send = 65'507;

  SendBatch();
  ~SendBatch();

  bool full() const { return size_ == capacity; }
  bool empty() const { return size_ == 0; }
  void add(Socket& socket, const Endpoint& to, ByteView bytes);
  /// Sends everything; waits up to `patience_ms` for room in a full socket, as often as that lets something leave. Returns how
  /// many were dropped; `failures` gets each error that is not a full queue (cleared first).
  size_t flush(int patience_ms, std::vector<SendFailure>& failures);

 private:
  struct Platform;
  std::unique_ptr<Platform> platform_;
  size_t size_ = 0;
};

/// What one read brought: one datagram, or several of one sender that the kernel joined (UDP_GRO).
struct Received {
  ByteSpan bytes;
  /// Length of each datagram but the last, which may be shorter. Not 0 unless `bytes` is empty.
  size_t segment;
  Endpoint from;
  /// The buffer it lies in.
  size_t buffer;
};

/// Datagrams in it.
inline size_t count(const Received& received) {
  return received.bytes.empty() ? 0 : (received.bytes.size() + received.segment - 1) / received.segment;
}

/// Calls `each` with every datagram.
template <typename Each>
void split(const Received& received, const Each& each) {
  ByteSpan rest = received.bytes;
  while (!rest.empty() && received.segment > 0) {
    const size_t length = std::min(received.segment, rest.size());
    each(rest.first(length));
    rest = rest.subspan(length);
  }
}

/// Buffers of one receiving thread. What was read stays until its buffer is given back.
class ReceiveBatch {
 public:
  static constexpr size_t capacity = 64;

  ReceiveBatch();
  ~ReceiveBatch();

  /// Some of what waits on the socket; an empty span when nothing does, or no buffer is free. Valid until the next call.
  std::span<const Received> receive(const Socket& socket);
  void release(size_t buffer) { free_.push_back(buffer); }
  bool full() const { return free_.empty(); }
  /// Whether the last call took all that waited.
  bool drained() const { return drained_; }

 private:
  struct Platform;
  std::unique_ptr<Platform> platform_;
  std::vector<Received> received_;
  // The one released last is used first: it is still in the processor's cache.
  std::vector<size_t> free_;
  bool drained_ = true;
};

}  // namespace wg::udp
