#include "device_events.h"

#include <string.h>

namespace wg::js {
namespace {

const char* name_of(EventType type) {
  switch (type) {
    case EventType::stun: return "stun";
    case EventType::ping: return "ping";
    case EventType::pong: return "pong";
    case EventType::message: return "message";
    case EventType::outbound: return "outbound";
    case EventType::handshake: return "handshake";
    case EventType::peer_moved: return "peer-moved";
    case EventType::packet: return "packet";
    case EventType::discovery: return "discovery";
    case EventType::socket_error: return "socket-error";
    case EventType::failed: return "failed";
  }
  return "failed";
}

const char* name_of(Answer answer) {
  switch (answer) {
    case Answer::known: return "known";
    case Answer::fresh: return "new";
    case Answer::refused: return "refused";
  }
  return "known";
}

Napi::Value bytes_value(Napi::Env env, const Event& event) {
  auto array = Napi::Uint8Array::New(env, event.bytes.size());
  copy_bytes(event.bytes, array.Data());
  return array;
}

Napi::Value via_value(Napi::Env env, const Event& event) {
  if (event.via == PathKind::external) return Napi::String::New(env, "external");
  const auto via = Napi::Object::New(env);
  via.Set("socket", event.socket);
  via.Set("remote", endpoint_object(env, event.from));
  return via;
}

Napi::Value path_value(Napi::Env env, const Event& event) {
  const auto path = Napi::Object::New(env);
  path.Set("kind", event.via == PathKind::external ? "external" : "udp");
  if (event.via == PathKind::udp) {
    path.Set("socket", event.socket);
    path.Set("to", endpoint_object(env, event.from));
  }
  return path;
}

Napi::Value code_value(Napi::Env env, const Event& event) {
  const char* name = strerrorname_np(event.error);
  return Napi::String::New(env, name ? name : "EIO");
}

/// What pings and pongs have in common.
void set_probe(Napi::Env env, Napi::Object object, const Event& event) {
  object.Set("peer", event.peer);
  object.Set("via", via_value(env, event));
  object.Set("seq", static_cast<double>(event.seq));
  object.Set("at", event.at);
}

}  // namespace

Napi::Object endpoint_object(Napi::Env env, const Endpoint& endpoint) {
  const auto object = Napi::Object::New(env);
  object.Set("ip", endpoint.ip());
  object.Set("port", endpoint.port());
  return object;
}

Napi::Object event_object(Napi::Env env, const Event& event) {
  const auto object = Napi::Object::New(env);
  object.Set("type", name_of(event.type));
  switch (event.type) {
    case EventType::stun:
      object.Set("socket", event.socket);
      object.Set("from", endpoint_object(env, event.from));
      object.Set("bytes", bytes_value(env, event));
      object.Set("at", event.at);
      break;
    case EventType::pong:
      object.Set("observed", event.has_observed ? Napi::Value(endpoint_object(env, event.observed)) : env.Null());
      object.Set("rttMs", event.rtt_ms);
      set_probe(env, object, event);
      break;
    case EventType::ping:
      set_probe(env, object, event);
      object.Set("answer", name_of(event.answer));
      object.Set("newRemotes", static_cast<double>(event.new_remotes));
      break;
    case EventType::message:
      object.Set("peer", event.peer);
      object.Set("via", via_value(env, event));
      object.Set("bytes", bytes_value(env, event));
      object.Set("at", event.at);
      break;
    case EventType::outbound:
      object.Set("peer", event.peer);
      if (event.lane) object.Set("express", *event.lane == queue::Lane::express);
      object.Set("bytes", bytes_value(env, event));
      break;
    case EventType::handshake:
      object.Set("peer", event.peer);
      object.Set("at", event.at);
      break;
    case EventType::peer_moved:
      object.Set("peer", event.peer);
      object.Set("path", path_value(env, event));
      break;
    case EventType::packet:
      object.Set("bytes", bytes_value(env, event));
      break;
    case EventType::discovery:
      object.Set("peer", event.peer == 0 ? env.Null() : Napi::Value(Napi::Number::New(env, event.peer)));
      object.Set("from", endpoint_object(env, event.from));
      object.Set("to", endpoint_object(env, event.observed));
      object.Set("bytes", bytes_value(env, event));
      object.Set("at", event.at);
      break;
    case EventType::socket_error:
      object.Set("socket", event.socket);
      [[fallthrough]];
    case EventType::failed:
      object.Set("code", code_value(env, event));
      break;
  }
  return object;
}

}  // namespace wg::js
