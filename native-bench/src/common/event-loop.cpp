#include "common/event-loop.hpp"

#include <sys/timerfd.h>

#include <cerrno>
#include <system_error>

namespace {
void check(bool ok, const char* what) {
  if (!ok) throw std::system_error(errno, std::generic_category(), what);
}
}  // namespace

EventLoop::EventLoop()
    : epoll_(epoll_create1(EPOLL_CLOEXEC)),
      timer_(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {
  check(epoll_.get() >= 0, "epoll_create1");
  check(timer_.get() >= 0, "timerfd_create");
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.u64 = TIMER_KEY;
  check(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, timer_.get(), &event) == 0, "epoll_ctl");
}

void EventLoop::add(int fd, uint64_t key) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u64 = key;
  check(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
}

void EventLoop::addListener(int fd, uint64_t key) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.u64 = key;
  check(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
}

int EventLoop::waitRaw(Nanos wakeAtNs) {
  const Nanos now = nowNs();
  int timeoutMs = 0;
  if (wakeAtNs > now) {
    // epoll_wait alone rounds to milliseconds. The timer is re-armed only when the wake-up time
    // moved, so a loop that waits for a distant deadline pays nothing for it.
    timeoutMs = -1;
    if (armedAtNs_ != wakeAtNs) {
      itimerspec when{};
      when.it_value.tv_sec = wakeAtNs / SECOND;
      when.it_value.tv_nsec = wakeAtNs % SECOND;
      check(timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr) == 0, "timerfd");
      armedAtNs_ = wakeAtNs;
    }
  }
  const int count = epoll_wait(epoll_.get(), events_.data(), int(events_.size()), timeoutMs);
  check(count >= 0 || errno == EINTR, "epoll_wait");
  return count < 0 ? 0 : count;
}
