// From JavaScript values to ours. Each function throws WireguardError('invalid') naming the field.
#pragma once

#include <optional>

#include "../device/peer.h"
#include "errors.h"

namespace wg::js {

/// The value's bytes, which stay the value's.
ByteView bytes_of(const Napi::Value& value, const char* name);
/// Exactly 32 bytes.
Key key_of(const Napi::Value& value, const char* name);
/// An integer between the bounds.
uint64_t integer_of(const Napi::Value& value, const char* name, uint64_t low, uint64_t high);
/// As integer_of, or `fallback` when undefined.
uint64_t integer_or(const Napi::Value& value, const char* name, uint64_t low, uint64_t high, uint64_t fallback);
bool boolean_of(const Napi::Value& value, const char* name);
Napi::Object object_of(const Napi::Value& value, const char* name);
std::string string_of(const Napi::Value& value, const char* name);
/// A dotted address as a number.
uint32_t ipv4_of(const Napi::Value& value, const char* name);
std::vector<Prefix> prefixes_of(const Napi::Value& value, const char* name);
Endpoint endpoint_of(const Napi::Value& value, const char* name);

/// PeerOptions without its key; also the partial form of updatePeer.
PeerChange peer_change_of(const Napi::Object& options);
/// A new peer: defaults where the change is silent.
PeerConfig peer_config_of(const PeerChange& change);

constexpr uint64_t max_seq = (uint64_t{1} << 53) - 1;

}  // namespace wg::js
