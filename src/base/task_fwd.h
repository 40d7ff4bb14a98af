// Task<T>: a lazy coroutine on the loop. This header only declares it, so that public headers stay
// cheap; a .cc file that co_awaits includes base/task.h.
#pragma once

namespace boost::asio {
class any_io_executor;
template <typename T, typename Executor>
class awaitable;
}  // namespace boost::asio

namespace kinglet {
template <class T>
using Task = boost::asio::awaitable<T, boost::asio::any_io_executor>;
}  // namespace kinglet
