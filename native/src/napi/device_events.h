// DeviceEvent objects of types.ts.
#pragma once

#include <napi.h>

#include "../device/event.h"

namespace wg::js {

/// Copies the event's bytes: hosts may forbid external buffers.
Napi::Object event_object(Napi::Env env, const Event& event);
Napi::Object endpoint_object(Napi::Env env, const Endpoint& endpoint);

}  // namespace wg::js
