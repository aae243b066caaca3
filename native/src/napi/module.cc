#include <napi.h>

#include <memory>

#include "../tun/tun_napi.h"
#include "device_object.h"
#include "errors.h"

namespace {

// Called once by the loader, so that native code throws the package's own error class.
void set_error_class(const Napi::CallbackInfo& info) {
  auto* instance = info.Env().GetInstanceData<wg::js::Instance>();
  instance->error_constructor = Napi::Persistent(info[0].As<Napi::Function>());
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(std::make_unique<wg::js::Instance>().release());  // the environment deletes it
  exports.Set("setErrorClass", Napi::Function::New(env, set_error_class));
  wg::js::DeviceObject::define(env, exports);
  register_tun(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(wireguard, init)
