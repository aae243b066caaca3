#if defined(__linux__)
#include "linux_helper_wire.h"

#include <algorithm>

namespace wg::tun {
namespace {

constexpr uint8_t wire_version = 1;
constexpr uint8_t op_open = 1;
constexpr uint8_t op_configure = 2;
constexpr uint8_t op_capture = 3;

/// Reads forward; after the first read beyond the end everything is zero and `complete` is false.
class Reader {
 public:
  explicit Reader(std::span<const uint8_t> bytes) : rest_(bytes) {}

  std::span<const uint8_t> take(size_t size) {
    if (size > rest_.size()) {
      short_ = true;
      return {};
    }
    const auto head = rest_.first(size);
    rest_ = rest_.subspan(size);
    return head;
  }
  /// Little-endian.
  uint32_t number(size_t size) {
    uint32_t value = 0;
    const auto bytes = take(size);
    for (size_t i = 0; i < bytes.size(); ++i) value |= static_cast<uint32_t>(bytes[i]) << (8 * i);
    return value;
  }
  uint8_t byte() { return static_cast<uint8_t>(number(1)); }
  std::string text(size_t size) {
    const auto bytes = take(size);
    return {bytes.begin(), bytes.end()};
  }
  /// Whether every read succeeded and nothing is left.
  bool complete() const { return !short_ && rest_.empty(); }

 private:
  std::span<const uint8_t> rest_;
  bool short_ = false;
};

void put(std::vector<uint8_t>& out, uint32_t value, size_t size) {
  for (size_t i = 0; i < size; ++i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

void put(std::vector<uint8_t>& out, const std::string& text) {
  out.push_back(static_cast<uint8_t>(text.size()));
  out.insert(out.end(), text.begin(), text.end());
}

void put(std::vector<uint8_t>& out, const Prefix& prefix) {
  out.push_back(prefix.family);
  out.push_back(prefix.length);
  out.insert(out.end(), prefix.bytes.begin(), prefix.bytes.end());
}

std::optional<Prefix> read_prefix(Reader& reader) {
  Prefix prefix;
  prefix.family = reader.byte();
  prefix.length = reader.byte();
  const auto bytes = reader.take(prefix.bytes.size());
  std::copy(bytes.begin(), bytes.end(), prefix.bytes.begin());
  if (bytes.empty() || !is_well_formed(prefix)) return std::nullopt;
  return prefix;
}

bool read_prefixes(Reader& reader, size_t count, std::vector<Prefix>& out) {
  for (size_t i = 0; i < count; ++i) {
    const auto prefix = read_prefix(reader);
    if (!prefix) return false;
    out.push_back(*prefix);
  }
  return true;
}

std::optional<Request> decode_open(Reader& reader) {
  OpenRequest request;
  request.mtu = static_cast<uint16_t>(reader.number(2));
  request.name = reader.text(reader.byte());
  if (!reader.complete() || request.name.size() > max_name_bytes) return std::nullopt;
  return request;
}

std::optional<Request> decode_configure(Reader& reader) {
  ConfigureRequest request;
  const size_t addresses = reader.byte();
  const size_t routes = reader.byte();
  if (addresses > max_addresses) return std::nullopt;
  if (!read_prefixes(reader, addresses, request.addresses)) return std::nullopt;
  if (!read_prefixes(reader, routes, request.routes)) return std::nullopt;
  if (!reader.complete()) return std::nullopt;
  return request;
}

}  // namespace

std::optional<std::vector<uint8_t>> encode_request(const Request& request) {
  std::vector<uint8_t> out{wire_version};
  if (const auto* open = std::get_if<OpenRequest>(&request)) {
    if (open->name.size() > max_name_bytes) return std::nullopt;
    out.push_back(op_open);
    put(out, open->mtu, 2);
    put(out, open->name);
    return out;
  }
  if (std::holds_alternative<CaptureRequest>(request)) {
    out.push_back(op_capture);
    return out;
  }
  const auto& configure = std::get<ConfigureRequest>(request);
  if (configure.addresses.size() > max_addresses || configure.routes.size() > max_routes) return std::nullopt;
  out.push_back(op_configure);
  out.push_back(static_cast<uint8_t>(configure.addresses.size()));
  out.push_back(static_cast<uint8_t>(configure.routes.size()));
  for (const Prefix& prefix : configure.addresses) put(out, prefix);
  for (const Prefix& prefix : configure.routes) put(out, prefix);
  return out;
}

std::vector<uint8_t> encode_reply(const Reply& reply) {
  std::vector<uint8_t> out{wire_version, static_cast<uint8_t>(reply.code)};
  put(out, static_cast<uint32_t>(reply.sys), 4);
  put(out, reply.mtu, 2);
  put(out, reply.name);
  return out;
}

std::optional<Request> decode_request(std::span<const uint8_t> bytes) {
  Reader reader(bytes);
  if (reader.byte() != wire_version) return std::nullopt;
  switch (reader.byte()) {
    case op_open: return decode_open(reader);
    case op_configure: return decode_configure(reader);
    case op_capture: return reader.complete() ? std::optional<Request>(CaptureRequest{}) : std::nullopt;
    default: return std::nullopt;
  }
}

std::optional<Reply> decode_reply(std::span<const uint8_t> bytes) {
  Reader reader(bytes);
  if (reader.byte() != wire_version) return std::nullopt;
  Reply reply;
  const uint8_t code = reader.byte();
  reply.sys = static_cast<int32_t>(reader.number(4));
  reply.mtu = static_cast<uint16_t>(reader.number(2));
  reply.name = reader.text(reader.byte());
  if (!reader.complete() || code > last_code || reply.name.size() > max_name_bytes) return std::nullopt;
  reply.code = static_cast<Code>(code);
  return reply;
}

}  // namespace wg::tun
#endif
