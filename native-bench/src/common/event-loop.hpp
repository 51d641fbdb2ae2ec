// epoll, edge-triggered, with a wake-up time in nanoseconds.
//
// Descriptors are registered once for reading and writing together and never modified: an owner
// keeps its own `readable` and `writable` and continues where it stopped. This saves the epoll_ctl
// calls that level-triggering needs around every blocked write and every paused read.
#pragma once
#include <sys/epoll.h>

#include <array>
#include <cstdint>

#include "common/clock.hpp"
#include "common/socket.hpp"

class EventLoop {
 public:
  static constexpr uint64_t TIMER_KEY = ~uint64_t(0);

  EventLoop();

  /** Reports come with `key`, which must not be TIMER_KEY. */
  void add(int fd, uint64_t key);

  /** Edge-triggered listening socket; one waiting accept wakes one thread. */
  void addListener(int fd, uint64_t key);

  /** Waits for events until `wakeAtNs` (monotonic clock); in the past means: do not block.
   *  Calls `handle(key, events)` for each. */
  template <typename Handler>
  void wait(Nanos wakeAtNs, Handler&& handle) {
    const int count = waitRaw(wakeAtNs);
    for (int at = 0; at < count; at++) {
      const epoll_event& event = events_[size_t(at)];
      if (event.data.u64 != TIMER_KEY) handle(event.data.u64, event.events);
    }
  }

 private:
  int waitRaw(Nanos wakeAtNs);

  UniqueFd epoll_;
  UniqueFd timer_;
  Nanos armedAtNs_ = 0;
  std::array<epoll_event, 512> events_{};
};
