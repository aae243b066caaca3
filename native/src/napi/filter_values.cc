#include "filter_values.h"

namespace wg::js {
namespace {

bool accepts(const Napi::Value& value, const char* name) {
  const std::string action = string_of(value, name);
  if (action != "accept" && action != "deny") throw invalid(value.Env(), std::string(name) + " must be accept or deny");
  return action == "accept";
}

std::optional<uint8_t> protocol_of(const Napi::Value& value) {
  if (value.IsUndefined()) return std::nullopt;
  const std::string name = string_of(value, "protocol");
  if (name == "tcp") return ip_protocol::tcp;
  if (name == "udp") return ip_protocol::udp;
  if (name == "icmp") return ip_protocol::icmp;
  throw invalid(value.Env(), "protocol must be tcp, udp or icmp");
}

std::vector<PortRange> ports_of(const Napi::Value& value) {
  std::vector<PortRange> out;
  if (value.IsUndefined()) return out;
  if (!value.IsArray()) throw invalid(value.Env(), "ports must be an array of [low, high]");
  const auto array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); i++) {
    const Napi::Object range = object_of(array[i], "ports");
    const auto low = static_cast<uint16_t>(integer_of(range.Get(uint32_t{0}), "ports", 0, 65'535));
    out.push_back({low, static_cast<uint16_t>(integer_of(range.Get(uint32_t{1}), "ports", low, 65'535))});
  }
  return out;
}

}  // namespace

FilterRules filter_rules_of(const Napi::Value& value) {
  const Napi::Object object = object_of(value, "filter");
  const Napi::Value rules = object.Get("rules");
  if (!rules.IsArray()) throw invalid(value.Env(), "filter.rules must be an array");
  FilterRules out{.rules = {}, .accept = accepts(object.Get("otherwise"), "filter.otherwise")};
  const auto array = rules.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); i++) {
    const Napi::Object rule = object_of(array[i], "filter.rules");
    out.rules.push_back(
        {accepts(rule.Get("action"), "action"), protocol_of(rule.Get("protocol")), ports_of(rule.Get("ports"))});
  }
  return out;
}

std::optional<FilterRules> filter_rules_or_null_of(const Napi::Value& value) {
  if (value.IsNull()) return std::nullopt;
  return filter_rules_of(value);
}

std::optional<FilterOptions> filter_options_of(const Napi::Value& value) {
  if (value.IsNull()) return std::nullopt;
  const Napi::Object object = object_of(value, "filter");
  FilterOptions out{.rules = filter_rules_of(value)};
  const Napi::Value destinations = object.Get("destinations");
  if (!destinations.IsUndefined()) out.destinations = prefixes_of(destinations, "destinations");
  const Napi::Value broadcast = object.Get("directedBroadcast");
  if (!broadcast.IsUndefined()) out.directed_broadcast = ipv4_of(broadcast, "directedBroadcast");
  return out;
}

}  // namespace wg::js
