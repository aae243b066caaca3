// The yardstick of `npm run bench tunnel`: what a tunnel could do here if WireGuard's protocol cost nothing. One static key,
// EVP's ChaCha20-Poly1305, the same offloads, two threads; no handshake, no timers, no replay window, no peers, IPv4 only.
//
//   tunnel-pipe NAME PORT PEER_IP PEER_PORT SEND_KEY_BYTE RECEIVE_KEY_BYTE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <openssl/evp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

struct Vnet {  // virtio_net_hdr, whose header does not compile as C++
  uint8_t flags, gso;
  uint16_t header, size, start, offset;
};
constexpr uint8_t needs_csum = 1, gso_tcp4 = 1, gso_udp = 5;
constexpr size_t overhead = 32, frame_limit = 65'536, burst_limit = 60'000;
static int tun, udp;

static uint32_t sum(const uint8_t* p, size_t n, uint64_t s = 0) {
  for (; n >= 4; p += 4, n -= 4) {
    uint32_t word;
    std::memcpy(&word, p, 4);
    s += word;
  }
  uint32_t tail = 0;
  std::memcpy(&tail, p, n);
  s += tail;
  while (s >> 16) s = (s & 0xffff) + (s >> 16);
  return static_cast<uint32_t>(s);
}
static uint16_t get(const uint8_t* p) { return static_cast<uint16_t>(p[0] << 8 | p[1]); }
static void put(uint8_t* p, size_t v) { p[0] = static_cast<uint8_t>(v >> 8), p[1] = static_cast<uint8_t>(v); }
static void put_sum(uint8_t* p, uint32_t s) {
  const auto folded = static_cast<uint16_t>(~s);
  std::memcpy(p, &folded, 2);
}
/// Of addresses, protocol and length, as the kernel leaves it in a checksum field.
static uint32_t pseudo(const uint8_t* ip, size_t length) {
  const uint8_t tail[4] = {0, ip[9], static_cast<uint8_t>(length >> 8), static_cast<uint8_t>(length)};
  return sum(tail, 4, sum(ip + 12, 8));
}

struct Aead {
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  uint64_t nonce[2] = {};
  Aead(int key, int sealing) {
    uint8_t bytes[32];
    std::memset(bytes, key, 32);
    EVP_CipherInit_ex(context, EVP_chacha20_poly1305(), nullptr, bytes, nullptr, sealing);
  }
  void begin(uint64_t counter) {
    nonce[1] = counter;
    EVP_CipherInit_ex(context, nullptr, nullptr, nullptr, reinterpret_cast<uint8_t*>(nonce) + 4, -1);
  }
  void seal(uint64_t counter, uint8_t* text, int size) {
    int n;
    begin(counter);
    EVP_CipherUpdate(context, text, &n, text, size);
    EVP_CipherFinal_ex(context, nullptr, &n);
    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, text + size);
  }
  bool open(uint64_t counter, uint8_t* text, int size) {
    int n;
    begin(counter);
    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, 16, text + size);
    return EVP_CipherUpdate(context, text, &n, text, size) == 1 && EVP_CipherFinal_ex(context, nullptr, &n) == 1;
  }
};

/// Segments of one size to the one peer, as one message.
struct Burst {
  std::vector<uint8_t> memory = std::vector<uint8_t>(2 * frame_limit);
  size_t used = 0, segment = 0;
  uint64_t counter = 0;
  Aead aead;
  explicit Burst(int key) : aead(key, 1) {}
  void flush() {
    if (used == 0) return;
    const auto size = static_cast<uint16_t>(segment);
    alignas(cmsghdr) char control[CMSG_SPACE(2)] = {};
    iovec part{memory.data(), used};
    msghdr message{nullptr, 0, &part, 1, control, sizeof control, 0};
    cmsghdr* head = CMSG_FIRSTHDR(&message);
    *head = {CMSG_LEN(2), SOL_UDP, UDP_SEGMENT};
    std::memcpy(CMSG_DATA(head), &size, 2);
    if (used <= segment) message.msg_control = nullptr, message.msg_controllen = 0;
    while (sendmsg(udp, &message, 0) < 0 && errno == EAGAIN) {
      pollfd waiting{udp, POLLOUT, 0};
      poll(&waiting, 1, 5);
    }
    used = segment = 0;
  }
  void add(const uint8_t* headers, size_t headers_size, const uint8_t* payload, size_t size, const Vnet& v, size_t index) {
    const size_t length = headers_size + size, sealed = length + overhead;
    if (used > 0 && (sealed > segment || used % segment != 0 || used + sealed > burst_limit)) flush();
    if (used == 0) segment = sealed;
    uint8_t *message = &memory[used], *ip = message + 16, *l4 = ip + v.start;
    std::memcpy(ip, headers, headers_size);
    std::memcpy(ip + headers_size, payload, size);
    if (v.gso) {
      put(ip + 2, length), put(ip + 4, get(ip + 4) + index), put(ip + 10, 0);
      put_sum(ip + 10, sum(ip, v.start));
      if (v.gso == gso_udp) put(l4 + 4, length - v.start);
    }
    if (v.flags & needs_csum) {
      put(l4 + v.offset, 0);
      put_sum(l4 + v.offset, sum(l4, length - v.start, pseudo(ip, length - v.start)));
    }
    const uint64_t head[2] = {4, counter};
    std::memcpy(message, head, 16);
    aead.seal(counter++, ip, static_cast<int>(length));
    used += sealed;
  }
};

static void outbound(int key) {
  std::vector<uint8_t> frame(frame_limit + sizeof(Vnet));
  Burst burst(key);
  while (true) {
    const ssize_t got = read(tun, frame.data(), frame.size());
    if (got <= static_cast<ssize_t>(sizeof(Vnet) + 20)) {
      burst.flush();
      pollfd waiting{tun, POLLIN, 0};
      poll(&waiting, 1, -1);
      continue;
    }
    Vnet v;
    std::memcpy(&v, frame.data(), sizeof v);
    uint8_t* ip = frame.data() + sizeof v;
    const size_t length = static_cast<size_t>(got) - sizeof v, headers = v.gso ? v.start + (v.gso == gso_udp ? 8 : ip[v.start + 12] >> 4 << 2) : length;
    if (!v.gso) burst.add(ip, length, nullptr, 0, v, 0);
    const uint32_t sequence = v.gso == gso_tcp4 ? ntohl(*reinterpret_cast<uint32_t*>(ip + v.start + 4)) : 0;
    const uint8_t flags = ip[v.start + 13];
    for (size_t at = headers, i = 0; at < length; at += v.size, i++) {
      const bool last = at + v.size >= length;
      if (v.gso == gso_tcp4) {
        put(ip + v.start + 4, (sequence + i * v.size) >> 16), put(ip + v.start + 6, sequence + i * v.size);
        ip[v.start + 13] = last ? flags : flags & ~9;  // FIN and PSH are the last one's
      }
      burst.add(ip, headers, ip + at, std::min<size_t>(v.size, length - at), v, i);
    }
    if (v.gso) burst.flush();
  }
}

/// Consecutive segments of one flow on their way to the TUN as one frame.
struct Merge {
  iovec parts[70];
  size_t count = 0, headers = 0, size = 0, length = 0;
  bool ended = false;
  void flush() {
    if (count == 0) return;
    Vnet v{};
    auto* ip = static_cast<uint8_t*>(parts[1].iov_base);
    if (count > 2) {
      const bool tcp = ip[9] == 6;
      v = {needs_csum, tcp ? gso_tcp4 : gso_udp, static_cast<uint16_t>(headers), static_cast<uint16_t>(size), 20, static_cast<uint16_t>(tcp ? 16 : 6)};
      put(ip + 2, length), put(ip + 10, 0);
      put_sum(ip + 10, sum(ip, 20));
      if (!tcp) put(ip + 24, length - 20);
      put_sum(ip + 20 + v.offset, ~pseudo(ip, length - 20));
    }
    parts[0] = {&v, sizeof v};
    [[maybe_unused]] const ssize_t done = writev(tun, parts, static_cast<int>(count));
    count = 0;
  }
  void add(uint8_t* ip, size_t got) {
    const size_t own = ip[0] != 0x45 ? 0 : ip[9] == 6 ? 20 + (ip[32] >> 4 << 2) : ip[9] == 17 ? 28 : 0;
    const bool tcp = own > 28 || ip[9] == 6;
    if (own == 0 || got <= own || (tcp && (ip[33] & ~8) != 16)) return flush(), begin(ip, got, 0), flush();
    const auto* first = static_cast<uint8_t*>(parts[1].iov_base);
    const bool joins = count > 0 && !ended && own == headers && got - own <= size && length + got - own < frame_limit - 1 && count < 66 &&
                       ip[9] == first[9] && std::memcmp(ip + 12, first + 12, 12) == 0 &&
                       (!tcp || (std::memcmp(ip + 28, first + 28, 5) == 0 && std::memcmp(ip + 40, first + 40, own - 40) == 0 &&
                                 ntohl(*reinterpret_cast<const uint32_t*>(ip + 24)) == ntohl(*reinterpret_cast<const uint32_t*>(first + 24)) + length - headers));
    if (!joins) return flush(), begin(ip, got, own);
    parts[count++] = {ip + own, got - own};
    length += got - own;
    ended = got - own < size || (tcp && (ip[33] & 8));
    if (tcp) static_cast<uint8_t*>(parts[1].iov_base)[33] |= ip[33];
  }
  void begin(uint8_t* ip, size_t got, size_t own) {
    parts[1] = {ip, got};
    count = 2, headers = own, size = got - own, length = got;
    ended = own == 0 || (ip[9] == 6 && (ip[33] & 8));
  }
};

static void inbound(int key) {
  std::vector<uint8_t> memory(frame_limit);
  Aead aead(key, 0);
  Merge merge;
  while (true) {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    iovec part{memory.data(), memory.size()};
    msghdr message{nullptr, 0, &part, 1, control, sizeof control, 0};
    const ssize_t got = recvmsg(udp, &message, 0);
    if (got < 0) {
      pollfd waiting{udp, POLLIN, 0};
      poll(&waiting, 1, -1);
      continue;
    }
    int segment = static_cast<int>(got);
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
      if (c->cmsg_type == UDP_GRO) std::memcpy(&segment, CMSG_DATA(c), sizeof segment);
    }
    for (ssize_t at = 0; at < got; at += segment) {
      const auto size = static_cast<int>(std::min<ssize_t>(segment, got - at));
      uint64_t counter;
      std::memcpy(&counter, &memory[static_cast<size_t>(at) + 8], 8);
      uint8_t* ip = &memory[static_cast<size_t>(at) + 16];
      if (size > 72 - 20 && aead.open(counter, ip, size - 32)) merge.add(ip, static_cast<size_t>(size) - 32);
    }
    merge.flush();
  }
}

int main(int, char** arguments) {
  const auto fail = [](const char* what) { std::perror(what), std::exit(1); };
  const auto option = [](int level, int name, int value) { return setsockopt(udp, level, name, &value, sizeof value); };
  tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
  ifreq request{};
  request.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
  std::snprintf(request.ifr_name, IFNAMSIZ, "%s", arguments[1]);
  if (ioctl(tun, TUNSETIFF, &request) != 0) fail("TUNSETIFF");
  constexpr unsigned uso = 0x60;  // TUN_F_USO4 | TUN_F_USO6, newer than Debian's headers
  if (ioctl(tun, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | uso) != 0 && ioctl(tun, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4) != 0) fail("TUNSETOFFLOAD");
  udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  sockaddr_in own{AF_INET, htons(static_cast<uint16_t>(std::atoi(arguments[2]))), {}, {}}, peer{AF_INET, htons(static_cast<uint16_t>(std::atoi(arguments[4]))), {}, {}};
  inet_pton(AF_INET, arguments[3], &peer.sin_addr);
  if (bind(udp, reinterpret_cast<sockaddr*>(&own), sizeof own) != 0 || connect(udp, reinterpret_cast<sockaddr*>(&peer), sizeof peer) != 0) fail("socket");
  if (option(SOL_UDP, UDP_GRO, 1) != 0 || option(SOL_SOCKET, SO_RCVBUFFORCE, 400'000) != 0 || option(SOL_SOCKET, SO_SNDBUFFORCE, 400'000) != 0) fail("options");
  std::puts("ready"), std::fflush(stdout);
  std::thread(outbound, std::atoi(arguments[5])).detach();
  inbound(std::atoi(arguments[6]));
}
