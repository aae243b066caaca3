// Many datagrams a system call: sendmmsg with UDP_SEGMENT, recvmmsg with UDP_GRO.
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <cerrno>

#include "socket.h"

namespace wg::udp {
namespace {

constexpr size_t max_receive = 65'535;
constexpr size_t few = 4, long_read = 8'192;

// What the kernel says where the interface, the route or itself cannot cut a send.
bool is_refusal(int error) { return error == EIO || error == EINVAL || error == EOPNOTSUPP || error == EMSGSIZE; }

constexpr size_t control_size = CMSG_SPACE(sizeof(uint16_t));

}  // namespace

struct SendBatch::Platform {
  // Datagrams that leave as one send: all of the first one's length, but the last.
  struct Run {
    Socket* socket;
    const Endpoint* to;
    size_t segment, bytes, count;
    bool closed;
    size_t first_vector;
  };
  struct alignas(cmsghdr) Control {
    char bytes[control_size];
  };

  std::array<iovec, capacity> datagrams;
  std::array<uint16_t, capacity> run_of;
  std::array<Run, capacity> runs;
  size_t run_count = 0;

  std::array<iovec, capacity> vectors;
  std::array<mmsghdr, capacity> messages;
  std::array<Control, capacity> controls;

  Run* open_run(const Socket& socket, const Endpoint& to);
  void lay_out(size_t size);
  void describe(size_t run);
  size_t send_singly(const Run& run, int patience_ms, std::vector<SendFailure>& failures);
};

// The last run to that destination: what was added before it must leave before it.
SendBatch::Platform::Run* SendBatch::Platform::open_run(const Socket& socket, const Endpoint& to) {
  // A batch holds few destinations; looking further back than this costs more than another send.
  constexpr size_t reach = 16;
  for (size_t i = run_count; i > 0 && i + reach > run_count; i--) {
    Run& run = runs[i - 1];
    if (run.socket == &socket && (run.to == &to || *run.to == to)) return &run;
  }
  return nullptr;
}

SendBatch::SendBatch() : platform_(std::make_unique<Platform>()) {}
SendBatch::~SendBatch() = default;

void SendBatch::add(Socket& socket, const Endpoint& to, ByteView bytes) {
  Platform& batch = *platform_;
  Platform::Run* run = batch.open_run(socket, to);
  const bool joins = run && !run->closed && bytes.size() <= run->segment && run->count < max_segments &&
                     run->bytes + bytes.size() <= max_send && !bytes.empty();
  if (!joins) {
    run = &batch.runs[batch.run_count++];
    *run = {&socket, &to, bytes.size(), 0, 0, !socket.segments(), 0};
  }
  run->bytes += bytes.size();
  run->count++;
  if (bytes.size() < run->segment) run->closed = true;
  batch.datagrams[size_] = {const_cast<uint8_t*>(bytes.data()), bytes.size()};
  batch.run_of[size_] = static_cast<uint16_t>(run - batch.runs.data());
  size_++;
}

// Puts the vectors of each run side by side.
void SendBatch::Platform::lay_out(size_t size) {
  size_t next = 0;
  for (Run& run : std::span(runs).first(run_count)) {
    run.first_vector = next;
    next += run.count;
  }
  std::array<uint16_t, capacity> filled{};
  for (size_t i = 0; i < size; i++) {
    const uint16_t run = run_of[i];
    vectors[runs[run].first_vector + filled[run]++] = datagrams[i];
  }
  for (size_t i = 0; i < run_count; i++) describe(i);
}

void SendBatch::Platform::describe(size_t index) {
  const Run& run = runs[index];
  msghdr& header = messages[index].msg_hdr;
  header = {};
  header.msg_name = const_cast<sockaddr*>(run.to->raw());
  header.msg_namelen = run.to->raw_size();
  header.msg_iov = &vectors[run.first_vector];
  header.msg_iovlen = run.count;
  if (run.count < 2) return;
  header.msg_control = controls[index].bytes;
  header.msg_controllen = control_size;
  cmsghdr* control = CMSG_FIRSTHDR(&header);
  control->cmsg_level = SOL_UDP;
  control->cmsg_type = UDP_SEGMENT;
  control->cmsg_len = CMSG_LEN(sizeof(uint16_t));
  const auto segment = static_cast<uint16_t>(run.segment);
  std::memcpy(CMSG_DATA(control), &segment, sizeof segment);
}

// What the kernel would not cut. How many did not leave.
size_t SendBatch::Platform::send_singly(const Run& run, int patience_ms, std::vector<SendFailure>& failures) {
  size_t dropped = 0;
  for (size_t i = 0; i < run.count; i++) {
    msghdr header{};
    header.msg_name = const_cast<sockaddr*>(run.to->raw());
    header.msg_namelen = run.to->raw_size();
    header.msg_iov = &vectors[run.first_vector + i];
    header.msg_iovlen = 1;
    if (sendmsg(run.socket->fd(), &header, MSG_NOSIGNAL) >= 0) continue;
    if (is_full(errno) && patience_ms > 0) {
      run.socket->wait_for_room(patience_ms);
      if (sendmsg(run.socket->fd(), &header, MSG_NOSIGNAL) >= 0) continue;
    }
    dropped++;
    if (!is_full(errno)) failures.push_back({run.socket, errno});
  }
  return dropped;
}

size_t SendBatch::flush(int patience_ms, std::vector<SendFailure>& failures) {
  Platform& batch = *platform_;
  failures.clear();
  batch.lay_out(size_);
  size_t dropped = 0;
  size_t begin = 0;
  bool waited = false;
  while (begin < batch.run_count) {
    const Platform::Run& run = batch.runs[begin];
    size_t end = begin + 1;
    while (end < batch.run_count && batch.runs[end].socket == run.socket) end++;
    const auto count = static_cast<unsigned>(end - begin);
    const int sent = sendmmsg(run.socket->fd(), &batch.messages[begin], count, MSG_NOSIGNAL);
    if (sent > 0) {
      begin += static_cast<size_t>(sent);
      waited = false;
      continue;
    }
    const int error = errno;
    if (error == EINTR) continue;
    if (is_full(error) && patience_ms > 0 && !waited) {
      run.socket->wait_for_room(patience_ms);
      waited = true;
      continue;
    }
    waited = false;
    if (is_full(error)) {
      for (; begin < end; begin++) dropped += batch.runs[begin].count;
      continue;
    }
    if (run.count > 1 && is_refusal(error)) {
      // Where the same datagrams leave alone it was the cutting that the kernel refused.
      const size_t lost = batch.send_singly(run, patience_ms, failures);
      if (lost == 0) run.socket->refuse_segments();
      dropped += lost;
    } else {
      failures.push_back({run.socket, error});
      dropped += run.count;
    }
    begin++;
  }
  size_ = batch.run_count = 0;
  return dropped;
}

struct ReceiveBatch::Platform {
  struct alignas(cmsghdr) Control {
    char bytes[CMSG_SPACE(sizeof(int))];
  };

  Platform() : memory(new uint8_t[max_receive * capacity]) {}
  void prepare(std::span<const size_t> buffers);
  size_t segment_of(msghdr& header, size_t whole) const;

  // Not touched before it is needed: only full reads use all of a slot.
  std::unique_ptr<uint8_t[]> memory;
  std::array<iovec, capacity> vectors;
  std::array<mmsghdr, capacity> messages;
  std::array<Control, capacity> controls;
  std::array<Endpoint, capacity> sources;
  // Reads at a time. Few while they are long, so that they are worked off while they are in the cache, and while little comes.
  size_t reads = few;
};

void ReceiveBatch::Platform::prepare(std::span<const size_t> buffers) {
  for (size_t i = 0; i < buffers.size(); i++) {
    vectors[i] = {&memory[buffers[i] * max_receive], max_receive};
    msghdr& header = messages[i].msg_hdr;
    header = {};
    header.msg_name = sources[i].raw();
    header.msg_namelen = Endpoint::raw_capacity();
    header.msg_iov = &vectors[i];
    header.msg_iovlen = 1;
    header.msg_control = controls[i].bytes;
    header.msg_controllen = sizeof controls[i].bytes;
  }
}

size_t ReceiveBatch::Platform::segment_of(msghdr& header, size_t whole) const {
  for (cmsghdr* control = CMSG_FIRSTHDR(&header); control; control = CMSG_NXTHDR(&header, control)) {
    if (control->cmsg_level != SOL_UDP || control->cmsg_type != UDP_GRO) continue;
    int size = 0;
    std::memcpy(&size, CMSG_DATA(control), sizeof size);
    if (size > 0) return static_cast<size_t>(size);
  }
  return whole;
}

ReceiveBatch::ReceiveBatch() : platform_(std::make_unique<Platform>()) {
  received_.reserve(capacity);
  free_.reserve(capacity);
  for (size_t i = 0; i < capacity; i++) release(capacity - 1 - i);
}
ReceiveBatch::~ReceiveBatch() = default;

std::span<const Received> ReceiveBatch::receive(const Socket& socket) {
  Platform& batch = *platform_;
  received_.clear();
  const size_t asked = std::min(batch.reads, free_.size());
  const std::span<const size_t> buffers(free_.end() - static_cast<ptrdiff_t>(asked), free_.end());
  batch.prepare(buffers);
  // Errors (ICMP, interrupted) end this batch only: the socket stays in the poll set.
  const int count = recvmmsg(socket.fd(), batch.messages.data(), static_cast<unsigned>(asked), MSG_DONTWAIT, nullptr);
  size_t longest = 0;
  for (size_t i = 0; static_cast<int>(i) < count; i++) {
    const size_t length = batch.messages[i].msg_len;
    longest = std::max(longest, length);
    const ByteSpan bytes(&batch.memory[buffers[i] * max_receive], length);
    received_.push_back({bytes, batch.segment_of(batch.messages[i].msg_hdr, length), batch.sources[i], buffers[i]});
  }
  // The taken buffers stand first among those that were offered.
  std::rotate(free_.end() - static_cast<ptrdiff_t>(asked), free_.end() - static_cast<ptrdiff_t>(asked - received_.size()),
              free_.end());
  free_.resize(free_.size() - received_.size());
  drained_ = received_.size() < asked;
  batch.reads = longest >= long_read || received_.size() < few ? few : capacity;
  return received_;
}

}  // namespace wg::udp
