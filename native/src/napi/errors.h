// WireguardError of errors.ts, thrown from native code.
#pragma once

#include <napi.h>

#include <string>

namespace wg::js {

/// What an environment (a Node thread) keeps: constructors.
struct Instance {
  Napi::FunctionReference error_constructor;
};

/// A WireguardError('<code>', message), to be thrown.
Napi::Error error(Napi::Env env, const char* code, const std::string& message);

inline Napi::Error invalid(Napi::Env env, const std::string& message) { return error(env, "invalid", message); }

}  // namespace wg::js
