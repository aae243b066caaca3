// The class Device of JavaScript: WireguardDevice of types.ts.
#pragma once

#include <napi.h>

#include <memory>

#include "../device/device.h"
#include "notifier.h"

namespace wg::js {

class DeviceObject : public Napi::ObjectWrap<DeviceObject> {
 public:
  static void define(Napi::Env env, Napi::Object exports);

  explicit DeviceObject(const Napi::CallbackInfo& info);
  ~DeviceObject() override;

 private:
  using Info = Napi::CallbackInfo;

  Napi::Value public_key(const Info& info);
  Napi::Value add_peer(const Info& info);
  void update_peer(const Info& info);
  void remove_peer(const Info& info);
  void set_path(const Info& info);
  Napi::Value open_sockets(const Info& info);
  void close_sockets(const Info& info);
  Napi::Value sockets(const Info& info);
  Napi::Value send(const Info& info);
  Napi::Value ping(const Info& info);
  Napi::Value send_message(const Info& info);
  void receive_external(const Info& info);
  void write_tun(const Info& info);
  void set_fanout(const Info& info);
  void set_filter(const Info& info);
  void allow_new_remotes(const Info& info);
  Napi::Value stats(const Info& info);
  void on_events(const Info& info);
  Napi::Value close(const Info& info);

  /// The open device, or WireguardError('closed').
  Device& device(Napi::Env env);
  PeerId peer_of(const Napi::Value& value);
  Path path_of(Napi::Env env, const Napi::Value& value);
  Path via_of(Napi::Env env, const Napi::Value& value);
  std::shared_ptr<udp::Socket> socket_of(Napi::Env env, const Napi::Value& value, const Endpoint& to);
  void deliver_events(Napi::Env env);
  void shut();
  static void on_environment_end(void* self);

  std::unique_ptr<Device> device_;
  const std::unique_ptr<Notifier> notifier_;
  Napi::FunctionReference listener_;
  Napi::ObjectReference tun_;
  Bytes<32> public_key_{};
  bool memory_ = false;
  std::vector<Event> batch_;
};

}  // namespace wg::js
