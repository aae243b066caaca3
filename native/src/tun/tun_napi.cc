// Promises around TunSession. Every call runs on a worker thread; JavaScript only carries the answers.
#include "tun_napi.h"

#if defined(__linux__)
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tun_session.h"

namespace wg::tun {
namespace {

using Session = std::shared_ptr<TunSession>;

/// Runs `work` off the main thread and settles a promise with what `answer` makes of the session.
class TunWorker : public Napi::AsyncWorker {
 public:
  using Work = std::function<Status(TunSession&)>;
  using Answer = std::function<Napi::Value(Napi::Env, const Session&)>;

  static Napi::Value run(Napi::Env env, Session session, Work work, Answer answer) {
    auto* worker = new TunWorker(env, std::move(session), std::move(work), std::move(answer));
    const Napi::Promise promise = worker->deferred_.Promise();
    worker->Queue();  // deletes itself when done
    return promise;
  }

 protected:
  void Execute() override { status_ = work_(*session_); }
  void OnOK() override {
    if (status_.ok()) {
      deferred_.Resolve(answer_(Env(), session_));
      return;
    }
    const char* reason = status_.sys == 0 ? "" : ::strerrorname_np(status_.sys);
    auto error = Napi::Error::New(Env(), std::string(status_.step) + (*reason ? ": " : "") + reason).Value();
    error.Set("code", code_name(status_.code));
    deferred_.Reject(error);
  }

 private:
  TunWorker(Napi::Env env, Session session, Work work, Answer answer)
      : Napi::AsyncWorker(env, "node-wireguard:tun"),
        deferred_(Napi::Promise::Deferred::New(env)),
        session_(std::move(session)),
        work_(std::move(work)),
        answer_(std::move(answer)) {}

  Napi::Promise::Deferred deferred_;
  Session session_;
  Work work_;
  Answer answer_;
  Status status_;
};

Napi::Value undefined(Napi::Env env, const Session&) { return env.Undefined(); }

std::vector<std::string> strings(const Napi::Value& value) {
  std::vector<std::string> out;
  const auto list = value.As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); ++i) out.push_back(list.Get(i).ToString().Utf8Value());
  return out;
}

/// { name, fd, mtu, capture, configure(addresses, routes), close() }; the session lives as long as the functions do.
Napi::Value to_object(Napi::Env env, const Session& session) {
  auto object = Napi::Object::New(env);
  object.Set("name", session->name());
  object.Set("fd", session->fd());
  object.Set("mtu", session->mtu());
  object.Set("capture", session->capture() < 0 ? env.Null() : Napi::Value(Napi::Number::New(env, session->capture())));
  object.Set("configure", Napi::Function::New(env, [session](const Napi::CallbackInfo& info) {
               auto addresses = strings(info[0]);
               auto routes = strings(info[1]);
               return TunWorker::run(
                   info.Env(), session,
                   [addresses = std::move(addresses), routes = std::move(routes)](TunSession& tun) {
                     return tun.configure(addresses, routes);
                   },
                   undefined);
             }));
  object.Set("close", Napi::Function::New(env, [session](const Napi::CallbackInfo& info) {
               return TunWorker::run(
                   info.Env(), session,
                   [](TunSession& tun) {
                     tun.close();
                     return Status{};
                   },
                   undefined);
             }));
  return object;
}

/// openTun(name, mtu, helperPath): typed by tun.ts, its only caller.
Napi::Value open(const Napi::CallbackInfo& info) {
  const std::string name = info[0].As<Napi::String>();
  const uint32_t mtu = info[1].As<Napi::Number>();
  const std::string helper_path = info[2].As<Napi::String>();
  return TunWorker::run(
      info.Env(), std::make_shared<TunSession>(),
      [name, mtu, helper_path](TunSession& tun) { return tun.open(name, mtu, helper_path); }, to_object);
}

}  // namespace
}  // namespace wg::tun
#endif

void register_tun([[maybe_unused]] Napi::Env env, [[maybe_unused]] Napi::Object exports) {
#if defined(__linux__)
  exports.Set("openTun", Napi::Function::New(env, wg::tun::open));
#endif
}
