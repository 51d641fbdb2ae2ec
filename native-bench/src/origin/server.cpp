#include "origin/server.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <queue>
#include <thread>
#include <unordered_map>

#include "common/crc32.hpp"
#include "common/pattern.hpp"
#include "common/text.hpp"
#include "origin/connection.hpp"

namespace {

constexpr uint64_t LISTENER_KEY = uint64_t(1) << 63;
constexpr size_t PLANS_MAX = 4096;       // per thread; beyond it plans are made per request
constexpr size_t HEAD_CACHE_BYTES_MAX = 2048;
constexpr size_t OUT_BYTES_MAX = 256 * 1024;
constexpr size_t INLINE_BYTES_MAX = 64 * 1024;

struct Timer {
  Nanos at;
  uint32_t slot;
  uint32_t generation;
  bool operator>(const Timer& other) const { return at > other.at; }
};

enum class Progress { Done, Blocked, Closed };

class OriginThread {
 public:
  OriginThread(OriginShared& shared, size_t thread, std::vector<UniqueFd> listeners)
      : shared_(shared),
        counters_(shared.counters[thread].get()),
        listeners_(std::move(listeners)),
        prng_(0x6F726967 + thread),
        input_(256 * 1024, '\0') {
    for (size_t at = 0; at < listeners_.size(); at++) {
      loop_.addListener(listeners_[at].get(), LISTENER_KEY | at);
    }
  }

  void run() {
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
        if (events & EPOLLOUT) connection.writable = true;
        drive(connection);
      });
      fireTimers();
    }
  }

 private:
  void waitOutStall() {
    // A stall stops every thread, as a collector's pause or a stopped process would.
    const Nanos until = shared_.stalledUntilNs.load(std::memory_order_relaxed);
    if (until == 0) return;
    const Nanos left = until - nowNs();
    if (left > 0) std::this_thread::sleep_for(std::chrono::nanoseconds(left));
  }

  void accept(size_t port) {
    for (;;) {
      const int fd = accept4(listeners_[port].get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) {
        if (errno == EINTR || errno == ECONNABORTED) continue;
        if (errno != EAGAIN) {
          // Out of descriptors: edge-triggering would not tell again, so ask later.
          timers_.push({nowNs() + 10 * MILLISECOND, ~uint32_t(0), uint32_t(port)});
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

  // Only this thread writes its counters, so a plain add that others may read is enough.
  static void bump(std::atomic<uint64_t>& counter, uint64_t by = 1) {
    counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }

  void close(Connection& connection) {
    if (!connection.open) return;
    connection.open = false;
    connection.fd.reset();
    connection.in = {};
    connection.out = {};
    connection.plan.reset();
    bump(counters_[connection.port].open, ~uint64_t(0));
    free_.push_back(connection.slot);
  }

  void startTimer(Connection& connection, Nanos after) {
    timers_.push({nowNs() + after, connection.slot, connection.generation});
    connection.waiting = true;
  }

  void fireTimers() {
    if (timers_.empty()) return;
    const Nanos now = nowNs();
    while (!timers_.empty() && timers_.top().at <= now) {
      const Timer timer = timers_.top();
      timers_.pop();
      if (timer.slot == ~uint32_t(0)) {
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
  void drive(Connection& connection) {
    if (connection.lingering) return discard(connection);
    if (connection.silent) return watchSilent(connection);
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
  bool advance(Connection& connection) {
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
  bool consume(Connection& connection, std::string_view& input) {
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

  bool keep(Connection& connection, std::string_view input, bool ownsInput) {
    if (connection.open && ownsInput) connection.in.assign(input);
    return false;
  }

  /** Takes one request from the front of `input`. False: it is not complete, or it was refused. */
  bool takeRequest(Connection& connection, std::string_view& input) {
    if (connection.inBody) return takeBody(connection, input);
    // Same bytes as the last head: nothing to parse.
    const std::string& last = connection.lastHead;
    if (!last.empty() && input.size() >= last.size() &&
        memcmp(input.data(), last.data(), last.size()) == 0) {
      input.remove_prefix(last.size());
      connection.bodyLeft = connection.lastLength;
      connection.chunked = connection.lastChunked;
      return headDone(connection, input);
    }
    while (input.substr(0, 2) == "\r\n") input.remove_prefix(2);  // RFC 9112 §2.2
    const size_t end = input.find("\r\n\r\n");
    if (end == std::string_view::npos) {
      if (input.size() > HEAD_BYTES_MAX) refuse(connection, 431, "head: too long");
      return false;
    }
    const std::string_view text = input.substr(0, end + 4);
    RequestHead head;
    if (const char* problem = parseRequestHead(text, head)) {
      refuse(connection, 400, problem);
      return false;
    }
    RequestShape shape;
    shape.head = head.method == "HEAD";
    shape.close = !head.keepAlive;
    shape.http10 = head.http10;
    try {
      connection.plan = planFor(connection.port, head.target, shape);
    } catch (const UsageError& error) {
      refuse(connection, 400, error.what());
      return false;
    }
    connection.lastShape = shape;
    connection.lastLength = head.contentLength;
    connection.lastChunked = head.chunked;
    connection.lastHead.clear();
    if (connection.plan->echo) {
      connection.echo = echoHead(head);
    } else if (text.size() <= HEAD_CACHE_BYTES_MAX && !head.expectContinue) {
      connection.lastHead.assign(text);
    }
    connection.bodyLeft = head.contentLength;
    connection.chunked = head.chunked;
    if (head.expectContinue && !head.http10) batch_ += "HTTP/1.1 100 Continue\r\n\r\n";
    input.remove_prefix(end + 4);
    return headDone(connection, input);
  }

  bool headDone(Connection& connection, std::string_view& input) {
    connection.bodyBytes = 0;
    connection.bodyCrc = 0;
    if (connection.bodyLeft == 0 && !connection.chunked) {
      beginAnswer(connection);
      return true;
    }
    connection.inBody = true;
    connection.chunks = ChunkSkipper();
    return takeBody(connection, input);
  }

  bool takeBody(Connection& connection, std::string_view& input) {
    const auto take = [&](std::string_view data) {
      connection.bodyBytes += data.size();
      if (connection.plan->echo) connection.bodyCrc = crc32(connection.bodyCrc, data.data(), data.size());
    };
    if (connection.chunked) {
      connection.chunks.feed(input, take);
      if (connection.chunks.state == ChunkSkipper::State::Bad) {
        refuse(connection, 400, "chunked body: malformed");
        return false;
      }
      if (connection.chunks.state != ChunkSkipper::State::Done) return false;
    } else {
      const size_t size = size_t(std::min<uint64_t>(connection.bodyLeft, input.size()));
      take(input.substr(0, size));
      input.remove_prefix(size);
      connection.bodyLeft -= size;
      if (connection.bodyLeft > 0) return false;
    }
    connection.inBody = false;
    bump(counters_[connection.port].bodyBytes, connection.bodyBytes);
    beginAnswer(connection);
    return true;
  }

  void beginAnswer(Connection& connection) {
    bump(counters_[connection.port].requests);
    const Plan& plan = *connection.plan;
    if (plan.echo || plan.stats) {
      auto made = std::make_shared<Plan>();
      Step step;
      step.text = shared_.planMaker.answer(200, "application/json",
                                           plan.stats ? shared_.statsJson() : echoBody(connection),
                                           connection.lastShape);
      made->steps.push_back(std::move(step));
      if (connection.lastShape.close) {
        Step end;
        end.kind = Step::Kind::Close;
        made->steps.push_back(end);
      }
      connection.lastHead.clear();
      connection.plan = std::move(made);
    }
    connection.steps = &connection.plan->stepsForNext();
    connection.step = 0;
    connection.stepBytes = 0;
    connection.stepWaited = false;
  }

  void refuse(Connection& connection, unsigned status, const std::string& why) {
    bump(counters_[connection.port].malformed);
    RequestShape shape;
    shape.close = true;
    batch_ += shared_.planMaker.answer(status, "text/plain", why + "\n", shape);
    flush(connection);
    linger(connection);
  }

  std::shared_ptr<const Plan> planFor(uint32_t port, std::string_view target, RequestShape shape) {
    std::string key;
    key += char('0' + (shape.head ? 1 : 0) + (shape.close ? 2 : 0) + (shape.http10 ? 4 : 0));
    key += std::to_string(port);
    key += target;
    const auto found = plans_.find(key);
    if (found != plans_.end()) return found->second;
    const Behaviour behaviour = behaviourFromTarget(shared_.ports[port].behaviour, target);
    auto plan = std::make_shared<Plan>(shared_.planMaker.make(behaviour, shape));
    if (plan->every > 0 || plan->at > 0) plan->count = shared_.counterFor(key.substr(1));
    if (plans_.size() < PLANS_MAX) plans_.emplace(std::move(key), plan);
    return plan;
  }

  Progress play(Connection& connection) {
    for (; connection.step < connection.steps->size(); connection.step++) {
      const Step& step = (*connection.steps)[connection.step];
      switch (step.kind) {
        case Step::Kind::Text:
          batch_ += step.text;
          if (batch_.size() > OUT_BYTES_MAX && !flush(connection)) {
            connection.step++;
            return connection.open ? Progress::Blocked : Progress::Closed;
          }
          break;
        case Step::Kind::Pattern:
        case Step::Kind::Chunks: {
          const Progress progress = playBody(connection, step);
          if (progress != Progress::Done) return progress;
          connection.stepBytes = 0;
          break;
        }
        case Step::Kind::Wait:
          if (!connection.stepWaited) {
            connection.stepWaited = true;
            const bool flushed = flush(connection);  // answers to earlier pipelined requests
            if (!connection.open) return Progress::Closed;
            startTimer(connection, step.delay.sample(prng_));
            (void)flushed;  // what is left goes out when the socket takes it
            return Progress::Blocked;
          }
          connection.stepWaited = false;
          break;
        case Step::Kind::Stall:
          shared_.stalledUntilNs.store(nowNs() + step.pause, std::memory_order_relaxed);
          waitOutStall();
          break;
        case Step::Kind::Close:
          flush(connection);
          connection.steps = nullptr;
          linger(connection);
          return Progress::Closed;
        case Step::Kind::Reset:
          flush(connection);
          if (connection.open) resetOnClose(connection.fd.get());
          close(connection);
          return Progress::Closed;
        case Step::Kind::Hang:
          flush(connection);
          connection.silent = true;
          return connection.open ? Progress::Blocked : Progress::Closed;
      }
    }
    connection.steps = nullptr;
    return Progress::Done;
  }

  Progress playBody(Connection& connection, const Step& step) {
    const bool chunks = step.kind == Step::Kind::Chunks;
    while (connection.stepBytes < step.bytes) {
      const uint64_t offset = connection.stepBytes % PATTERN_BYTES;
      uint64_t size = std::min(step.bytes - connection.stepBytes, PATTERN_BYTES - offset);
      if (step.piece > 0) size = std::min(size, step.piece);
      const char* data = pattern().data() + offset;
      if (!chunks && step.piece == 0 && size > INLINE_BYTES_MAX) {
        // Straight from the pattern: a large body is never copied here.
        if (!flush(connection)) return connection.open ? Progress::Blocked : Progress::Closed;
        const ssize_t sent = send(connection.fd.get(), data, size, MSG_NOSIGNAL);
        if (sent < 0) {
          if (errno == EINTR) continue;
          if (errno == EAGAIN) {
            connection.writable = false;
            return Progress::Blocked;
          }
          close(connection);
          return Progress::Closed;
        }
        connection.stepBytes += uint64_t(sent);
        continue;
      }
      if (chunks) batch_ += format("%llx\r\n", (unsigned long long)size);
      batch_.append(data, size);
      if (chunks) batch_ += "\r\n";
      connection.stepBytes += size;
      const bool last = connection.stepBytes == step.bytes;
      if (step.pause > 0 || batch_.size() > OUT_BYTES_MAX) {
        if (!flush(connection) && !connection.open) return Progress::Closed;
        if (step.pause > 0 && !last) {
          startTimer(connection, step.pause);
          return Progress::Blocked;
        }
        if (!connection.out.empty()) return Progress::Blocked;
      }
    }
    return Progress::Done;
  }

  /** Sends what is made. False: the socket takes no more, or the connection is gone. */
  bool flush(Connection& connection) {
    if (!connection.open) {
      batch_.clear();
      return false;
    }
    std::string& pending = connection.out;
    if (!pending.empty()) {
      pending += batch_;
      batch_.clear();
    }
    const std::string& source = pending.empty() ? batch_ : pending;
    size_t done = 0;
    bool failed = false;
    while (done < source.size()) {
      const ssize_t sent =
          send(connection.fd.get(), source.data() + done, source.size() - done, MSG_NOSIGNAL);
      if (sent >= 0) {
        done += size_t(sent);
        continue;
      }
      if (errno == EINTR) continue;
      failed = errno != EAGAIN;
      connection.writable = false;
      break;
    }
    const bool complete = done == source.size();
    if (pending.empty()) pending.assign(batch_, done, std::string::npos);
    else pending.erase(0, done);
    batch_.clear();
    if (failed) close(connection);
    return complete;
  }

  /** FIN, then discard what the peer still sends, for a second at most: closing at once with
   *  unread input would send RST and could take the answer with it (RFC 9112 §9.6). */
  void linger(Connection& connection) {
    if (!connection.open) return;
    if (!connection.out.empty()) {
      // Rare: the peer reads slowly. Give it the rest in blocking mode's stead by waiting for it.
      connection.closeAfterAnswer = true;
    } else {
      shutdown(connection.fd.get(), SHUT_WR);
    }
    connection.lingering = true;
    startTimer(connection, SECOND);
    discard(connection);
  }

  void discard(Connection& connection) {
    if (connection.closeAfterAnswer && flush(connection)) {
      connection.closeAfterAnswer = false;
      shutdown(connection.fd.get(), SHUT_WR);
    }
    while (connection.open && connection.readable) {
      const ssize_t size = recv(connection.fd.get(), input_.data(), input_.size(), 0);
      if (size > 0 || (size < 0 && errno == EINTR)) continue;
      if (size < 0 && errno == EAGAIN) connection.readable = false;
      else close(connection);
    }
  }

  void watchSilent(Connection& connection) {
    while (connection.open && connection.readable) {
      const ssize_t size = recv(connection.fd.get(), input_.data(), input_.size(), 0);
      if (size > 0 || (size < 0 && errno == EINTR)) continue;
      if (size < 0 && errno == EAGAIN) connection.readable = false;
      else close(connection);
    }
  }

  static std::string echoHead(const RequestHead& head) {
    std::string json = "{\"method\":";
    appendJsonString(json, head.method);
    json += ",\"target\":";
    appendJsonString(json, head.target);
    json += head.http10 ? ",\"version\":\"1.0\"" : ",\"version\":\"1.1\"";
    json += ",\"headers\":[";
    for (size_t at = 0; at < head.headers.size(); at++) {
      json += at > 0 ? ",[" : "[";
      appendJsonString(json, head.headers[at].first);
      json += ',';
      appendJsonString(json, head.headers[at].second);
      json += ']';
    }
    return json + "]";
  }

  std::string echoBody(const Connection& connection) const {
    return connection.echo +
           format(",\"bodyBytes\":%llu,\"bodyCrc32\":\"%08x\",\"port\":%u}\n",
                  (unsigned long long)connection.bodyBytes, connection.bodyCrc,
                  shared_.ports[connection.port].address.port());
  }

  OriginShared& shared_;
  PortCounters* const counters_;
  std::vector<UniqueFd> listeners_;
  EventLoop loop_;
  Prng prng_;
  std::string input_;  // what was just received, for whichever connection is driven
  std::string batch_;  // what will be sent next, for the same
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<uint32_t> free_;
  std::unordered_map<std::string, std::shared_ptr<const Plan>> plans_;
  std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;
};

}  // namespace

std::shared_ptr<std::atomic<uint64_t>> OriginShared::counterFor(const std::string& key) {
  const std::lock_guard lock(mutex_);
  auto& counter = countersByTarget_[key];
  if (!counter) counter = std::make_shared<std::atomic<uint64_t>>(0);
  return counter;
}

std::string OriginShared::statsJson() const {
  std::string json = "{\"ports\":[";
  for (size_t port = 0; port < ports.size(); port++) {
    uint64_t requests = 0, connections = 0, open = 0, bodyBytes = 0, malformed = 0;
    for (const auto& thread : counters) {
      requests += thread[port].requests.load(std::memory_order_relaxed);
      connections += thread[port].connections.load(std::memory_order_relaxed);
      open += thread[port].open.load(std::memory_order_relaxed);
      bodyBytes += thread[port].bodyBytes.load(std::memory_order_relaxed);
      malformed += thread[port].malformed.load(std::memory_order_relaxed);
    }
    json += format(
        "%s{\"port\":%u,\"requests\":%llu,\"connections\":%llu,\"open\":%llu,\"bodyBytes\":%llu,"
        "\"malformed\":%llu}",
        port > 0 ? "," : "", ports[port].address.port(), (unsigned long long)requests,
        (unsigned long long)connections, (unsigned long long)open, (unsigned long long)bodyBytes,
        (unsigned long long)malformed);
  }
  return json + "]}\n";
}

void serve(OriginShared& shared, size_t thread, std::vector<UniqueFd> listeners) {
  OriginThread(shared, thread, std::move(listeners)).run();
}
