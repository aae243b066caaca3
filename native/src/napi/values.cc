#include "values.h"

#include <cmath>

#include "filter_values.h"

namespace wg::js {
namespace {

[[noreturn]] void fail(const Napi::Value& value, const char* name, const std::string& expected) {
  throw invalid(value.Env(), std::string(name) + " must be " + expected);
}

ProbeKeys probe_keys_of(const Napi::Value& value) {
  const Napi::Object keys = object_of(value, "probe");
  return {key_of(keys.Get("sendKey"), "probe.sendKey"), key_of(keys.Get("receiveKey"), "probe.receiveKey")};
}

}  // namespace

ByteView bytes_of(const Napi::Value& value, const char* name) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    fail(value, name, "a Uint8Array");
  }
  const auto array = value.As<Napi::Uint8Array>();
  return {array.Data(), array.ByteLength()};
}

Key key_of(const Napi::Value& value, const char* name) {
  const ByteView bytes = bytes_of(value, name);
  if (bytes.size() != 32) fail(value, name, "32 bytes");
  return Key(bytes);
}

uint64_t integer_of(const Napi::Value& value, const char* name, uint64_t low, uint64_t high) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  const bool fits = std::trunc(number) == number && number >= static_cast<double>(low) &&
                    number <= static_cast<double>(high);
  if (!fits) fail(value, name, "an integer from " + std::to_string(low) + " to " + std::to_string(high));
  return static_cast<uint64_t>(number);
}

uint64_t integer_or(const Napi::Value& value, const char* name, uint64_t low, uint64_t high, uint64_t fallback) {
  return value.IsUndefined() ? fallback : integer_of(value, name, low, high);
}

bool boolean_of(const Napi::Value& value, const char* name) {
  if (!value.IsBoolean()) fail(value, name, "a boolean");
  return value.As<Napi::Boolean>().Value();
}

Napi::Object object_of(const Napi::Value& value, const char* name) {
  if (!value.IsObject()) fail(value, name, "an object");
  return value.As<Napi::Object>();
}

std::string string_of(const Napi::Value& value, const char* name) {
  if (!value.IsString()) fail(value, name, "a string");
  return value.As<Napi::String>().Utf8Value();
}

uint32_t ipv4_of(const Napi::Value& value, const char* name) {
  const auto address = Endpoint::parse(string_of(value, name), 0);
  if (!address || !address->is_v4()) fail(value, name, "an IPv4 address");
  return load_be32(address->address().data());
}

std::vector<Prefix> prefixes_of(const Napi::Value& value, const char* name) {
  if (!value.IsArray()) fail(value, name, "an array of CIDR strings");
  const auto array = value.As<Napi::Array>();
  std::vector<Prefix> out;
  for (uint32_t i = 0; i < array.Length(); i++) {
    const Napi::Value item = array[i];
    const auto prefix = item.IsString() ? Prefix::parse(item.As<Napi::String>().Utf8Value()) : std::nullopt;
    if (!prefix) fail(value, name, "an array of CIDR strings");
    out.push_back(*prefix);
  }
  return out;
}

Endpoint endpoint_of(const Napi::Value& value, const char* name) {
  const Napi::Object object = object_of(value, name);
  const auto port = static_cast<uint16_t>(integer_of(object.Get("port"), "port", 1, 65'535));
  const auto endpoint = Endpoint::parse(string_of(object.Get("ip"), "ip"), port);
  if (!endpoint) fail(value, name, "an endpoint with a numeric ip");
  return *endpoint;
}

PeerChange peer_change_of(const Napi::Object& options) {
  PeerChange change;
  const auto given = [&options](const char* name, const auto& take) {
    const Napi::Value value = options.Get(name);
    if (!value.IsUndefined()) take(value);
  };
  given("presharedKey", [&](const Napi::Value& v) { change.preshared_key = key_of(v, "presharedKey"); });
  given("allowedIps", [&](const Napi::Value& v) { change.allowed_ips = prefixes_of(v, "allowedIps"); });
  given("keepaliveSeconds", [&](const Napi::Value& v) {
    change.keepalive = static_cast<Nanos>(integer_of(v, "keepaliveSeconds", 0, 65'535)) * 1'000'000'000;
  });
  given("roaming", [&](const Napi::Value& v) { change.roaming = boolean_of(v, "roaming"); });
  given("fanout", [&](const Napi::Value& v) { change.fanout = boolean_of(v, "fanout"); });
  given("initiate", [&](const Napi::Value& v) { change.initiate = boolean_of(v, "initiate"); });
  given("probe", [&](const Napi::Value& v) { change.probe = probe_keys_of(v); });
  given("filter", [&](const Napi::Value& v) { change.filter = filter_rules_or_null_of(v); });
  return change;
}

PeerConfig peer_config_of(const PeerChange& change) {
  PeerConfig config;
  config.preshared_key = change.preshared_key.value_or(config.preshared_key);
  config.allowed_ips = change.allowed_ips.value_or(config.allowed_ips);
  config.keepalive = change.keepalive.value_or(config.keepalive);
  config.roaming = change.roaming.value_or(config.roaming);
  config.fanout = change.fanout.value_or(config.fanout);
  config.initiate = change.initiate.value_or(config.initiate);
  config.probe = change.probe;
  config.filter = change.filter.value_or(config.filter);
  return config;
}

}  // namespace wg::js
