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

  /// True at most once a second: whether an error of this socket is worth a report.
  bool may_report_error(int64_t now_ns);

 private:
  Socket(SocketId id, int fd) : id_(id), fd_(fd) {}

  SocketId id_;
  int fd_;
  Endpoint local_;
  std::atomic<int64_t> error_reported_{INT64_MIN / 2};
};

/// Datagrams of a batch that did not leave.
struct SendFailure {
  Socket* socket;
  int error;
};

/// Collects datagrams and hands each run for one socket to the kernel at once. Referenced memory must stay until flush.
class SendBatch {
 public:
  static constexpr size_t capacity = 256;

  SendBatch();
  ~SendBatch();

  bool full() const { return size_ == capacity; }
  bool empty() const { return size_ == 0; }
  void add(Socket& socket, const Endpoint& to, ByteView bytes);
  /// Sends everything; with `patient` waits up to `patience_ms` for room in a full socket. Returns how many were dropped;
  /// `failures` gets each error that is not a full queue (cleared first).
  size_t flush(bool patient, std::vector<SendFailure>& failures);

  static constexpr int patience_ms = 5;

 private:
  struct Platform;
  std::unique_ptr<Platform> platform_;
  size_t size_ = 0;
};

struct Received {
  ByteSpan bytes;
  Endpoint from;
};

/// Buffers for one receiving thread.
class ReceiveBatch {
 public:
  static constexpr size_t capacity = 64;

  /// Datagrams longer than `slot_size` are dropped by `receive`.
  explicit ReceiveBatch(size_t slot_size);
  ~ReceiveBatch();

  /// What waits on the socket, at most `capacity`; an empty span when nothing does. `oversized` counts dropped ones.
  std::span<const Received> receive(const Socket& socket, size_t& oversized);

 private:
  struct Platform;
  std::unique_ptr<Platform> platform_;
  std::vector<Received> received_;
};

}  // namespace wg::udp
