// A small JSON reader for the router's configuration and control lines. Writing is done by hand where the answers are made.
#pragma once

#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace natbox {

/** A parsed JSON value. Lookups of absent members answer null, so that every option can have its default at the place of use. */
class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::map<std::string, Json, std::less<>>;

  Json() = default;

  /** Throws std::runtime_error when the text is not one JSON value. */
  static Json parse(std::string_view text);

  const Json& operator[](std::string_view key) const;
  bool isNull() const { return std::holds_alternative<std::monostate>(value_); }
  double number(double fallback) const;
  bool boolean(bool fallback) const;
  std::string text(std::string_view fallback = "") const;
  const Array& items() const;

 private:
  friend class JsonReader;
  std::variant<std::monostate, bool, double, std::string, Array, Object> value_;
};

/** Quotes a string for a JSON answer. */
std::string quoted(std::string_view text);

}  // namespace natbox
