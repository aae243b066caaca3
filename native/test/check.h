// A test binary of named cases: `core_test` lists them, `core_test NAME` runs one.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

namespace check {

struct Case {
  std::string name;
  std::function<void()> run;
};

inline std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

struct Register {
  Register(const char* name, std::function<void()> run) { cases().push_back({name, std::move(run)}); }
};

inline void fail(const char* file, int line, const std::string& what) {
  std::fprintf(stderr, "%s:%d: %s\n", file, line, what.c_str());
  std::exit(1);
}

}  // namespace check

#define CHECK_JOIN_(a, b) a##b
#define CHECK_JOIN(a, b) CHECK_JOIN_(a, b)
#define TEST(name)                                                                            \
  static void CHECK_JOIN(test_, __LINE__)();                                                  \
  static const check::Register CHECK_JOIN(register_, __LINE__)(name, CHECK_JOIN(test_, __LINE__)); \
  static void CHECK_JOIN(test_, __LINE__)()
#define EXPECT(condition) \
  if (!(condition)) check::fail(__FILE__, __LINE__, "expected " #condition)
#define EXPECT_EQ(actual, expected)                                                                    \
  do {                                                                                                 \
    const auto actual_ = (actual);                                                                     \
    const decltype(actual_) expected_ = (expected);                                                    \
    if (!(actual_ == expected_)) {                                                                     \
      check::fail(__FILE__, __LINE__, #actual " is " + std::to_string(actual_) + ", not " + std::to_string(expected_)); \
    }                                                                                                  \
  } while (false)
