#include "errors.h"

namespace wg::js {

Napi::Error error(Napi::Env env, const char* code, const std::string& message) {
  const auto* instance = env.GetInstanceData<Instance>();
  if (!instance || instance->error_constructor.IsEmpty()) return Napi::Error::New(env, message);
  const Napi::Object value =
      instance->error_constructor.New({Napi::String::New(env, code), Napi::String::New(env, message)});
  return Napi::Error(env, value);
}

}  // namespace wg::js
