#include "device_object.h"

#include <cerrno>
#include <cstring>

#include "device_events.h"
#include "filter_values.h"

namespace wg::js {
namespace {

/// Events handed over in one call: more would hold the JavaScript thread too long.
constexpr size_t events_a_call = 512;
constexpr size_t default_queue = 8'192, default_mtu = 1'420, most_crypto_threads = 16;

/// Nothing: by the cores.
std::optional<size_t> crypto_threads_of(const Napi::Value& value) {
  if (value.IsUndefined()) return std::nullopt;
  return integer_of(value, "cryptoThreads", 0, most_crypto_threads);
}

std::optional<Endpoint> bind_of(const Napi::Value& value) {
  if (value.IsUndefined()) return std::nullopt;
  const auto endpoint = Endpoint::parse(string_of(value, "bindAddress"), 0);
  if (!endpoint) throw invalid(value.Env(), "bindAddress must be a numeric address");
  return endpoint;
}

/// Nothing where the interface came without.
std::optional<tun::HostCapture> capture_of(const Napi::Object& tun) {
  const Napi::Value fd = tun.Get("capture");
  if (fd.IsUndefined() || fd.IsNull()) return std::nullopt;
  return tun::HostCapture::duplicate(static_cast<int>(integer_of(fd, "tun.capture", 0, 1 << 30)),
                                     static_cast<int>(integer_of(tun.Get("fd"), "tun.fd", 0, 1 << 30)));
}

Napi::Object fanout_object(Napi::Env env, const FanoutCounters& counted) {
  const auto out = Napi::Object::New(env);
  out.Set("sent", static_cast<double>(counted.sent));
  out.Set("copies", static_cast<double>(counted.copies));
  out.Set("received", static_cast<double>(counted.received));
  out.Set("rateLimited", static_cast<double>(counted.rate_limited));
  out.Set("duplicates", static_cast<double>(counted.duplicates));
  out.Set("loops", static_cast<double>(counted.loops));
  out.Set("refused", static_cast<double>(counted.refused));
  return out;
}

Napi::Error open_error(Napi::Env env, int error) {
  const std::string reason = std::strerror(error);
  if (error == EADDRINUSE) return js::error(env, "port-taken", "Another program uses this UDP port: choose another.");
  if (error == EPERM || error == EACCES) {
    return js::error(env, "no-rights", "The system refused the socket (a mark needs CAP_NET_ADMIN): " + reason);
  }
  if (error == EADDRNOTAVAIL) return invalid(env, "bindAddress is no address of this machine");
  return js::error(env, "unsupported", "The system gives no UDP socket: " + reason);
}

int ttl_of(const Napi::Value& options) {
  if (options.IsUndefined()) return 0;
  return static_cast<int>(integer_or(object_of(options, "options").Get("ttl"), "ttl", 1, 255, 0));
}

Napi::Value time_value(Napi::Env env, const std::optional<double>& time) {
  return time ? Napi::Value(Napi::Number::New(env, *time)) : env.Null();
}

Napi::Array socket_array(Napi::Env env, const std::vector<std::shared_ptr<udp::Socket>>& sockets) {
  const auto array = Napi::Array::New(env, sockets.size());
  for (uint32_t i = 0; i < sockets.size(); i++) {
    const auto info = Napi::Object::New(env);
    info.Set("id", sockets[i]->id());
    info.Set("family", sockets[i]->family() == AF_INET ? 4 : 6);
    info.Set("port", sockets[i]->port());
    array.Set(i, info);
  }
  return array;
}

}  // namespace

void DeviceObject::define(Napi::Env env, Napi::Object exports) {
  using Self = DeviceObject;
  exports.Set("Device", DefineClass(env, "Device",
                                    {
                                        InstanceAccessor<&Self::public_key>("publicKey"),
                                        InstanceMethod<&Self::add_peer>("addPeer"),
                                        InstanceMethod<&Self::update_peer>("updatePeer"),
                                        InstanceMethod<&Self::remove_peer>("removePeer"),
                                        InstanceMethod<&Self::set_path>("setPath"),
                                        InstanceMethod<&Self::open_sockets>("openSockets"),
                                        InstanceMethod<&Self::close_sockets>("closeSockets"),
                                        InstanceMethod<&Self::sockets>("sockets"),
                                        InstanceMethod<&Self::send>("send"),
                                        InstanceMethod<&Self::ping>("ping"),
                                        InstanceMethod<&Self::send_message>("sendMessage"),
                                        InstanceMethod<&Self::receive_external>("receiveExternal"),
                                        InstanceMethod<&Self::write_tun>("writeTun"),
                                        InstanceMethod<&Self::set_fanout>("setFanout"),
                                        InstanceMethod<&Self::set_filter>("setFilter"),
                                        InstanceMethod<&Self::allow_new_remotes>("allowNewRemotes"),
                                        InstanceMethod<&Self::stats>("stats"),
                                        InstanceMethod<&Self::on_events>("onEvents"),
                                        InstanceMethod<&Self::close>("close"),
                                    }));
}

DeviceObject::DeviceObject(const Info& info)
    : Napi::ObjectWrap<DeviceObject>(info), notifier_(std::make_unique<Notifier>()), batch_(events_a_call) {
  const Napi::Env env = info.Env();
  const Napi::Object options = object_of(info[0], "options");
  const Napi::Object tun = object_of(options.Get("tun"), "tun");
  const std::string kind = string_of(tun.Get("kind"), "tun.kind");
  if (kind != "memory" && kind != "system") throw invalid(env, "tun.kind must be 'memory' or 'system'");
  memory_ = kind == "memory";

  DeviceOptions native{
      .private_key = key_of(options.Get("privateKey"), "privateKey"),
      .tun = std::nullopt,
      .capture = std::nullopt,
      .mtu = integer_or(tun.Get("mtu"), "tun.mtu", 576, 65'535, default_mtu),
      .bind = bind_of(options.Get("bindAddress")),
      .port = static_cast<uint16_t>(integer_or(options.Get("udpPort"), "udpPort", 0, 65'535, 0)),
      .mark = static_cast<uint32_t>(integer_or(options.Get("mark"), "mark", 0, 0xffffffff, 0)),
      .crypto_threads = crypto_threads_of(options.Get("cryptoThreads")),
      .event_limit = integer_or(options.Get("eventQueueLength"), "eventQueueLength", 1, 1 << 20, default_queue),
      .wake_owner = [notifier = notifier_.get()] { notifier->notify(); },
  };
  if (!memory_) {
    native.tun = tun::HostTun::duplicate(static_cast<int>(integer_of(tun.Get("fd"), "tun.fd", 0, 1 << 30)));
    if (!native.tun) throw js::error(env, "closed", "The TUN device is closed: open another.");
    native.capture = capture_of(tun);
    tun_ = Napi::Persistent(tun);
  }
  notifier_->open(env, [this](Napi::Env call_env) { deliver_events(call_env); });
  int error = 0;
  device_ = Device::open(std::move(native), error);
  if (!device_) {
    notifier_->close();
    throw open_error(env, error);
  }
  public_key_ = device_->public_key();
  // Threads run: neither garbage collection nor the end of the environment may pull it away from under them.
  Ref();
  napi_add_env_cleanup_hook(env, on_environment_end, this);
}

DeviceObject::~DeviceObject() { shut(); }

// Threads first: after them nobody notifies.
void DeviceObject::shut() {
  device_.reset();
  notifier_->close();
}

void DeviceObject::on_environment_end(void* self) { static_cast<DeviceObject*>(self)->shut(); }

Device& DeviceObject::device(Napi::Env env) {
  if (!device_) throw js::error(env, "closed", "The device is closed.");
  return *device_;
}

PeerId DeviceObject::peer_of(const Napi::Value& value) {
  return static_cast<PeerId>(integer_of(value, "peer", 1, 0xffffffff));
}

std::shared_ptr<udp::Socket> DeviceObject::socket_of(Napi::Env env, const Napi::Value& value, const Endpoint& to) {
  const auto socket = device(env).socket(static_cast<SocketId>(integer_of(value, "socket", 0, 0xffffffff)));
  if (!socket) throw invalid(env, "no such socket");
  if (socket->family() != to.family()) throw invalid(env, "the address is not of the socket's family");
  return socket;
}

Path DeviceObject::path_of(Napi::Env env, const Napi::Value& value) {
  if (value.IsNull() || value.IsUndefined()) return {};
  const Napi::Object object = object_of(value, "path");
  const std::string kind = string_of(object.Get("kind"), "path.kind");
  if (kind == "external") return {PathKind::external, nullptr, {}, 0};
  if (kind != "udp") throw invalid(env, "path.kind must be 'udp' or 'external'");
  const Endpoint to = endpoint_of(object.Get("to"), "path.to");
  const auto mtu = static_cast<uint16_t>(integer_or(object.Get("mtu"), "path.mtu", 576, 65'535, 0));
  return {PathKind::udp, socket_of(env, object.Get("socket"), to), to, mtu};
}

Path DeviceObject::via_of(Napi::Env env, const Napi::Value& value) {
  if (value.IsString() && value.As<Napi::String>().Utf8Value() == "external") return {PathKind::external, nullptr, {}, 0};
  const Napi::Object object = object_of(value, "via");
  const Endpoint to = endpoint_of(object.Get("remote"), "via.remote");
  return {PathKind::udp, socket_of(env, object.Get("socket"), to), to, 0};
}

Napi::Value DeviceObject::public_key(const Info& info) {
  auto out = Napi::Uint8Array::New(info.Env(), public_key_.size());
  copy_bytes(public_key_, out.Data());
  return out;
}

Napi::Value DeviceObject::add_peer(const Info& info) {
  Device& target = device(info.Env());
  const Napi::Object options = object_of(info[0], "options");
  PublicKey key;
  std::copy_n(key_of(options.Get("publicKey"), "publicKey").data(), key.size(), key.begin());
  const auto id = target.add_peer(key, peer_config_of(peer_change_of(options)));
  if (!id) throw invalid(info.Env(), "publicKey is our own, or exists already, or is not a usable key");
  return Napi::Number::New(info.Env(), *id);
}

void DeviceObject::update_peer(const Info& info) {
  Device& target = device(info.Env());
  const PeerId id = peer_of(info[0]);
  if (!target.update_peer(id, peer_change_of(object_of(info[1], "change")))) throw invalid(info.Env(), "no such peer");
}

void DeviceObject::remove_peer(const Info& info) {
  Device& target = device(info.Env());
  target.remove_peer(peer_of(info[0]));
}

void DeviceObject::set_path(const Info& info) {
  Device& target = device(info.Env());
  const PeerId id = peer_of(info[0]);
  const bool found = target.set_path(id, path_of(info.Env(), info[1]), path_of(info.Env(), info[2]));
  if (!found) throw invalid(info.Env(), "no such peer");
}

Napi::Value DeviceObject::open_sockets(const Info& info) {
  Device& target = device(info.Env());
  const size_t count = integer_of(info[0], "count", 0, 4'096);
  const uint64_t family = integer_of(info[1], "family", 4, 6);
  if (family == 5) throw invalid(info.Env(), "family must be 4 or 6");
  int error = 0;
  const auto opened = target.open_sockets(count, family == 4 ? AF_INET : AF_INET6, error);
  if (opened.empty() && count > 0) throw open_error(info.Env(), error);
  return socket_array(info.Env(), opened);
}

void DeviceObject::close_sockets(const Info& info) {
  Device& target = device(info.Env());
  if (!info[0].IsArray()) throw invalid(info.Env(), "ids must be an array");
  const auto ids = info[0].As<Napi::Array>();
  for (uint32_t i = 0; i < ids.Length(); i++) {
    target.close_socket(static_cast<SocketId>(integer_of(ids[i], "socket", 0, 0xffffffff)));
  }
}

Napi::Value DeviceObject::sockets(const Info& info) {
  return socket_array(info.Env(), device(info.Env()).sockets());
}

Napi::Value DeviceObject::send(const Info& info) {
  Device& target = device(info.Env());
  const Endpoint to = endpoint_of(info[1], "to");
  const auto socket = socket_of(info.Env(), info[0], to);
  return Napi::Boolean::New(info.Env(), target.send(*socket, to, bytes_of(info[2], "bytes"), ttl_of(info[3])));
}

Napi::Value DeviceObject::ping(const Info& info) {
  Device& target = device(info.Env());
  const PeerId id = peer_of(info[0]);
  const uint64_t seq = integer_of(info[1], "seq", 0, max_seq);
  const Path via = via_of(info.Env(), info[2]);
  const size_t size =
      info[3].IsUndefined() ? 0 : integer_or(object_of(info[3], "options").Get("size"), "size", 0, 1'500, 0);
  const bool doubly = !info[3].IsUndefined() && object_of(info[3], "options").Get("doubly").ToBoolean();
  return Napi::Boolean::New(info.Env(), target.ping(id, seq, via, size, doubly, ttl_of(info[3])));
}

Napi::Value DeviceObject::send_message(const Info& info) {
  Device& target = device(info.Env());
  const PeerId id = peer_of(info[0]);
  const uint64_t seq = integer_of(info[1], "seq", 0, max_seq);
  const Path via = via_of(info.Env(), info[2]);
  const ByteView bytes = bytes_of(info[3], "bytes");
  if (bytes.empty() || bytes.size() > 1'200) throw invalid(info.Env(), "a message has 1 to 1200 bytes");
  return Napi::Boolean::New(info.Env(), target.send_message(id, seq, via, bytes));
}

void DeviceObject::receive_external(const Info& info) {
  Device& target = device(info.Env());
  target.receive_external(peer_of(info[0]), bytes_of(info[1], "bytes"));
}

void DeviceObject::write_tun(const Info& info) {
  Device& target = device(info.Env());
  const ByteView packet = bytes_of(info[0], "bytes");
  if (!memory_) throw invalid(info.Env(), "writeTun is for a memory TUN");
  if (packet.size() > target.mtu()) throw invalid(info.Env(), "the packet is longer than the MTU");
  target.write_tun(packet);
}

void DeviceObject::set_fanout(const Info& info) {
  Device& target = device(info.Env());
  if (info[0].IsNull()) return target.set_fanout(false, std::nullopt, std::nullopt);
  const Napi::Object options = object_of(info[0], "options");
  const auto address = [&options](const char* name) -> std::optional<uint32_t> {
    const Napi::Value value = options.Get(name);
    return value.IsUndefined() ? std::nullopt : std::optional(ipv4_of(value, name));
  };
  target.set_fanout(true, address("directedBroadcast"), address("ownAddress"));
}

void DeviceObject::set_filter(const Info& info) {
  Device& target = device(info.Env());
  target.set_filter(filter_options_of(info[0]));
}

void DeviceObject::allow_new_remotes(const Info& info) {
  Device& target = device(info.Env());
  target.allow_new_remotes(integer_of(info[0], "total", 0, max_seq));
}

Napi::Value DeviceObject::stats(const Info& info) {
  const Napi::Env env = info.Env();
  Device& target = device(env);
  const DeviceCounters counters = target.counters();
  const auto peers = Napi::Array::New(env);
  uint32_t index = 0;
  for (const auto& [id, counted, pace, fanout_received, fanout_dropped] : target.peer_counters()) {
    const auto peer = Napi::Object::New(env);
    peer.Set("peer", id);
    peer.Set("rxBytes", static_cast<double>(counted.rx_bytes));
    peer.Set("txBytes", static_cast<double>(counted.tx_bytes));
    peer.Set("rxPackets", static_cast<double>(counted.rx_packets));
    peer.Set("txPackets", static_cast<double>(counted.tx_packets));
    peer.Set("filtered", static_cast<double>(counted.filtered));
    peer.Set("pacedBytesPerSecond", pace > 0 ? Napi::Value(Napi::Number::New(env, pace)) : env.Null());
    peer.Set("lastHandshakeAt", time_value(env, counted.last_handshake_ms));
    peer.Set("lastReceivedAt", time_value(env, counted.last_received_ms));
    peer.Set("fanoutReceived", static_cast<double>(fanout_received));
    peer.Set("fanoutDropped", static_cast<double>(fanout_dropped));
    peers.Set(index++, peer);
  }
  const auto out = Napi::Object::New(env);
  out.Set("peers", peers);
  out.Set("eventsDropped", static_cast<double>(counters.events_dropped));
  out.Set("datagramsRejected", static_cast<double>(counters.rejected));
  out.Set("txDropped", static_cast<double>(counters.tx_dropped));
  out.Set("routeMisses", static_cast<double>(counters.route_misses));
  const auto queue = Napi::Object::New(env);
  queue.Set("expressDropped", static_cast<double>(counters.express_dropped));
  queue.Set("bulkDropped", static_cast<double>(counters.bulk_dropped));
  queue.Set("bulkLate", static_cast<double>(counters.bulk_late));
  queue.Set("bulkBytes", static_cast<double>(counters.bulk_queued));
  queue.Set("bulkWaitMs", static_cast<double>(counters.bulk_wait) / 1e6);
  queue.Set("receiveDropped", static_cast<double>(counters.receive_dropped));
  out.Set("queue", queue);
  out.Set("underLoad", counters.under_load);
  out.Set("fanout", fanout_object(env, counters.fanout));
  return out;
}

void DeviceObject::on_events(const Info& info) {
  device(info.Env());
  if (!info[0].IsFunction()) throw invalid(info.Env(), "listener must be a function");
  listener_ = Napi::Persistent(info[0].As<Napi::Function>());
  notifier_->notify();  // for what came before
}

// Without a listener events stay in their bounded queue.
void DeviceObject::deliver_events(Napi::Env env) {
  if (!device_ || listener_.IsEmpty()) return;
  // The listener may close the device and drop it: this object outlives the call.
  [[maybe_unused]] const Napi::Object self = Value();
  const size_t count = device_->events().take(batch_);
  if (count == 0) return;
  const auto events = Napi::Array::New(env, count);
  for (uint32_t i = 0; i < count; i++) {
    const Napi::HandleScope scope(env);
    events.Set(i, event_object(env, batch_[i]));
  }
  listener_.Call({events});
}

Napi::Value DeviceObject::close(const Info& info) {
  const Napi::Env env = info.Env();
  if (device_) {
    napi_remove_env_cleanup_hook(env, on_environment_end, this);
    shut();
    listener_.Reset();
    Unref();
    if (!tun_.IsEmpty()) {
      const Napi::Object tun = tun_.Value();
      tun_.Reset();
      return tun.Get("close").As<Napi::Function>().Call(tun, {});
    }
  }
  const auto done = Napi::Promise::Deferred::New(env);
  done.Resolve(env.Undefined());
  return done.Promise();
}

}  // namespace wg::js
