// FilterRules and FilterOptions of types.ts. Each function throws WireguardError('invalid') naming the field.
#pragma once

#include "values.h"

namespace wg::js {

FilterRules filter_rules_of(const Napi::Value& value);
/// Null: nothing.
std::optional<FilterRules> filter_rules_or_null_of(const Napi::Value& value);
std::optional<FilterOptions> filter_options_of(const Napi::Value& value);

}  // namespace wg::js
