// TUN devices as JavaScript sees them.
#pragma once

#include <napi.h>

/// Adds `openTun` to the addon's exports; on systems without TUN support here it adds nothing.
void register_tun(Napi::Env env, Napi::Object exports);
