#include "notifier.h"

namespace wg::js {

void Notifier::open(Napi::Env env, std::function<void(Napi::Env)> called) {
  called_ = std::move(called);
  function_ = Function::New(env, "node-wireguard events", 0, 1, this);
  open_ = true;
}

void Notifier::notify() { function_.NonBlockingCall(); }

void Notifier::close() {
  if (!open_) return;
  open_ = false;
  function_.Abort();
}

void Notifier::call(Napi::Env env, Napi::Function, Notifier* context, void*) {
  // An aborted queue is emptied without an environment, possibly after the context has gone.
  if (static_cast<napi_env>(env) == nullptr || !context->open_) return;
  try {
    context->called_(env);
  } catch (const Napi::Error& error) {
    // Thrown on, Node would only warn: the listener's exception is uncaught like any other.
    napi_fatal_exception(env, error.Value());
  }
}

}  // namespace wg::js
