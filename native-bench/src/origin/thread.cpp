// The course of an origin thread: accepting, waiting, driving its connections.
#include "origin/thread.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

namespace {
constexpr uint64_t LISTENER_KEY = uint64_t(1) << 63;
}

OriginThread::OriginThread(OriginShared& shared, size_t thread, std::vector<UniqueFd> listeners)
    : shared_(shared),
      counters_(shared.counters[thread].get()),
      listeners_(std::move(listeners)),
      prng_(0x6F726967 + thread),
      input_(256 * 1024, '\0') {
  for (size_t at = 0; at < listeners_.size(); at++) {
    loop_.addListener(listeners_[at].get(), LISTENER_KEY | at);
  }
}

void OriginThread::run() {
  while (!shared_.stopping.load(std::memory_order_relaxed)) {
    waitOutStall();
    Nanos wakeAt = nowNs() + 100 * MILLISECOND;  // to notice `stopping`
    if (!timers_.empty()) wakeAt = std::min(wakeAt, timers_.top().at);
    loop_.wait(wakeAt, [this](uint64_t key, uint32_t events) {
      if (key & LISTENER_KEY) return accept(size_t(key & ~LISTENER_KEY));
      Connection& connection = *connections_[uint32_t(key)];
      if (!connection.open || connection.generation != uint32_t(key >> 32)) return;
      if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) connection.readable = true;
      if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) connection.sawEnd = true;
        drive(connection);
    });
    fireTimers();
  }
}

void OriginThread::waitOutStall() {
  // A stall stops every thread, as a collector's pause or a stopped process would.
  const Nanos until = shared_.stalledUntilNs.load(std::memory_order_relaxed);
  if (until == 0) return;
  const Nanos left = until - nowNs();
  if (left > 0) std::this_thread::sleep_for(std::chrono::nanoseconds(left));
}

void OriginThread::accept(size_t port) {
  for (;;) {
    const int fd = accept4(listeners_[port].get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno != EAGAIN) {
        // Out of descriptors: edge-triggering would not tell again, so ask later.
        timers_.push({nowNs() + 10 * MILLISECOND, ACCEPT_SLOT, uint32_t(port)});
      }
      return;
    }
    uint32_t slot = uint32_t(connections_.size());
    if (!free_.empty()) {
      slot = free_.back();
      free_.pop_back();
    } else {
      connections_.push_back(std::make_unique<Connection>());
    }
    Connection& connection = *connections_[slot];
    const uint32_t generation = connection.generation + 1;
    connection = Connection();
    connection.generation = generation & 0x7fffffff;
    connection.fd = UniqueFd(fd);
    connection.port = uint32_t(port);
    connection.open = true;
    connection.slot = slot;
    bump(counters_[port].connections);
    bump(counters_[port].open);
    loop_.add(fd, slot | uint64_t(connection.generation) << 32);
  }
}

void OriginThread::close(Connection& connection) {
  if (!connection.open) return;
  connection.open = false;
  connection.fd.reset();
  connection.in = {};
  connection.out = {};
  connection.plan.reset();
  bump(counters_[connection.port].open, ~uint64_t(0));
  free_.push_back(connection.slot);
}

void OriginThread::startTimer(Connection& connection, Nanos after) {
  timers_.push({nowNs() + after, connection.slot, connection.generation});
  connection.waiting = true;
}

void OriginThread::fireTimers() {
  if (timers_.empty()) return;
  const Nanos now = nowNs();
  while (!timers_.empty() && timers_.top().at <= now) {
    const Timer timer = timers_.top();
    timers_.pop();
    if (timer.slot == ACCEPT_SLOT) {
      accept(timer.generation);
      continue;
    }
    Connection& connection = *connections_[timer.slot];
    if (!connection.open || connection.generation != timer.generation) continue;
    if (connection.lingering) {
      close(connection);
      continue;
    }
    connection.waiting = false;
    drive(connection);
  }
}

/** Does everything the connection can do now. */
void OriginThread::drive(Connection& connection) {
  if (connection.lingering) return discard(connection);
  if (connection.silent) {
    flush(connection);
    return drain(connection);
  }
  if (connection.waiting) return;
  if (!advance(connection)) return;
  while (connection.open && !connection.lingering && connection.readable && !connection.steps &&
         connection.out.empty()) {
    const ssize_t size = recv(connection.fd.get(), input_.data(), input_.size(), 0);
    if (size < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) {
        connection.readable = false;
        return;
      }
      return close(connection);
    }
    if (size == 0) return close(connection);
    // A short read has emptied the socket; only an end still needs to be read.
    if (size_t(size) < input_.size() && !connection.sawEnd) connection.readable = false;
    if (connection.in.empty()) {
      std::string_view input(input_.data(), size_t(size));
      if (!consume(connection, input)) return;
      connection.in.assign(input);
    } else {
      connection.in.append(input_.data(), size_t(size));
      if (!advance(connection)) return;
    }
  }
}

/** Goes on with what is stored. False: blocked or gone. */
bool OriginThread::advance(Connection& connection) {
  if (!connection.out.empty() && !flush(connection)) return false;
  if (!connection.steps && connection.in.empty()) return true;
  std::string stored;
  stored.swap(connection.in);
  std::string_view input(stored);
  if (!consume(connection, input)) {
    if (connection.open) connection.in.insert(0, input);
    return false;
  }
  connection.in.assign(input);
  return true;
}

/** Answers what `input` holds. True: all is answered and flushed, `input` keeps a partial head.
 *  False: blocked or closed; what is left of `input` was not stored when called by `advance`. */
bool OriginThread::consume(Connection& connection, std::string_view& input) {
  const bool ownsInput = input.data() >= input_.data() && input.data() <= input_.data() + input_.size();
  for (;;) {
    if (connection.steps) {
      const Progress progress = play(connection);
      if (progress == Progress::Closed) return false;
      if (progress == Progress::Blocked) {
        if (ownsInput) connection.in.assign(input);
        return false;
      }
    }
    if (!takeRequest(connection, input)) break;
  }
  if (!connection.open) return false;
  return flush(connection) || keep(connection, input, ownsInput);
}

bool OriginThread::keep(Connection& connection, std::string_view input, bool ownsInput) {
  if (connection.open && ownsInput) connection.in.assign(input);
  return false;
}

/** What still comes is of no interest. Our FIN waits until the answer is sent, however slowly the
 *  peer reads; only then the time for the peer's runs. */
void OriginThread::discard(Connection& connection) {
  if (connection.finDue && flush(connection)) {
    connection.finDue = false;
    shutdown(connection.fd.get(), SHUT_WR);
    startTimer(connection, SECOND);
  }
  drain(connection);
}

/** Reads and forgets, until the peer ends the connection. */
void OriginThread::drain(Connection& connection) {
  while (connection.open && connection.readable) {
    const ssize_t size = recv(connection.fd.get(), input_.data(), input_.size(), 0);
    if (size > 0 || (size < 0 && errno == EINTR)) continue;
    if (size < 0 && errno == EAGAIN) connection.readable = false;
    else close(connection);
  }
}

void serve(OriginShared& shared, size_t thread, std::vector<UniqueFd> listeners) {
  OriginThread(shared, thread, std::move(listeners)).run();
}
