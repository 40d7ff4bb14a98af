#include "base/signal.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <list>

#include "base/task.h"

namespace kinglet {
namespace asio = boost::asio;

// A timer that never expires is Asio's cheapest awaitable condition; cancel() wakes its waiter.
struct Signal::State {
  std::list<asio::steady_timer*> waiters;
};

Signal::Signal() : state_(std::make_shared<State>()) {}
Signal::~Signal() { notify_all(); }

Task<void> Signal::wait() {
  const auto state = state_;  // the Signal may be destroyed while we wait
  asio::steady_timer timer(co_await asio::this_coro::executor,
                           asio::steady_timer::time_point::max());
  const auto here = state->waiters.insert(state->waiters.end(), &timer);
  struct Leave {
    State& state;
    std::list<asio::steady_timer*>::iterator here;
    ~Leave() { state.waiters.erase(here); }
  } leave{*state, here};
  boost::system::error_code ended;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ended));
  // A cancelled coroutine is told apart from a notified one by its own cancellation state.
  const auto cancelled = co_await asio::this_coro::cancellation_state;
  if (cancelled.cancelled() != asio::cancellation_type::none)
    throw boost::system::system_error(asio::error::operation_aborted);
}

void Signal::notify_all() {
  for (auto* timer : state_->waiters) timer->cancel();
}

}  // namespace kinglet
