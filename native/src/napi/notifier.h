// The one way from native threads into JavaScript: a call that says "there is something to take", at most one pending.
#pragma once

#include <napi.h>

#include <functional>

namespace wg::js {

class Notifier {
 public:
  /// `called` runs on the JavaScript thread, in a handle scope, never after `close`.
  void open(Napi::Env env, std::function<void(Napi::Env)> called);
  /// From any thread, while open.
  void notify();
  /// Idempotent; the JavaScript thread only, when no other thread can call `notify` any more.
  void close();

 private:
  static void call(Napi::Env env, Napi::Function callback, Notifier* context, void* data);
  using Function = Napi::TypedThreadSafeFunction<Notifier, void, call>;

  Function function_;
  std::function<void(Napi::Env)> called_;
  bool open_ = false;
};

}  // namespace wg::js
