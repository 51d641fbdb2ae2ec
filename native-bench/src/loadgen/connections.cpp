// Opening, sending, receiving, closing.
#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/crc32.hpp"
#include "common/pattern.hpp"
#include "common/text.hpp"
#include "loadgen/worker.hpp"

namespace {

constexpr unsigned CONNECTING_MAX = 128;  // at once per thread: a burst overflows accept queues
constexpr Nanos RETRY_AFTER = 100 * MILLISECOND;
constexpr int PIECES_MAX = 64;

}  // namespace

void Worker::reconnectDue(Nanos now) {
  while (!toConnectLater_.empty() && connections_[toConnectLater_.front()].retryAtNs <= now) {
    toConnect_.push_back(toConnectLater_.front());
    toConnectLater_.pop_front();
  }
  while (!toConnect_.empty() && connecting_ < CONNECTING_MAX) {
    Connection& connection = connections_[toConnect_.front()];
    toConnect_.pop_front();
    open(connection, now);
  }
}

void Worker::open(Connection& connection, Nanos now) {
  connection.generation++;
  connection.connectStartedNs = now;
  connection.state = Connection::State::Connecting;
  connecting_++;
  const int fd = connectStart(config_.address);
  if (fd < 0) return connectFailed(connection, now, strerror(errno));
  connection.fd = UniqueFd(fd);
  loop_.add(fd, indexOf(connection) | uint64_t(connection.generation) << 32);
}

void Worker::connectFailed(Connection& connection, Nanos now, const std::string& why) {
  if (!running_) settled_++;
  if (running_ && mayBegin(now)) {
    recordFailure(Failure::Connect, now, NO_REQUEST, now, why);
  }
  close(connection, now + RETRY_AFTER);
}

void Worker::established(Connection& connection, Nanos now) {
  connecting_--;
  connection.state = Connection::State::Open;
  connection.assigned = 0;
  tally_.connectionsOpened++;
  tally_.connectTime.record(now - connection.connectStartedNs);
  if (connection.tls && tally_.tlsDescription.empty()) {
    tally_.tlsDescription = tlsDescription(*connection.tls);
  }
  if (!running_) settled_++;
  refill(connection, now);
}

void Worker::goOn(Connection& connection, uint32_t events) {
  using State = Connection::State;
  if (connection.state == State::Closed) return;
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) connection.readable = true;
  if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) connection.sawEnd = true;
  if (events & EPOLLOUT) connection.writable = true;
  if (connection.state == State::Connecting) {
    const int failure = connectOutcome(connection.fd.get());
    if (failure != 0) return connectFailed(connection, nowNs(), strerror(failure));
    if (!(events & EPOLLOUT)) return;
    if (!tls_) {
      established(connection, nowNs());
    } else {
      connection.tls = makeTlsSession(*tls_, connection.fd.get());
      connection.state = State::Handshaking;
    }
  }
  if (connection.state == State::Handshaking) handshake(connection);
  if (connection.state != State::Open) return;
  if (connection.readable) receive(connection);
  if (connection.state == State::Open && connection.writable) send(connection);
}

void Worker::handshake(Connection& connection) {
  const Io io = tlsHandshake(*connection.tls);
  if (io == Io::Blocked) return;
  if (io == Io::Ok) return established(connection, nowNs());
  const std::string problem = tlsProblem(*connection.tls);
  connectFailed(connection, nowNs(),
                "TLS: " + (problem.empty() ? std::string("ended in the handshake") : problem));
}

/** Writes what was assigned, straight from the prepared requests. */
void Worker::send(Connection& connection) {
  while (connection.state == Connection::State::Open && connection.writable &&
         connection.sent < connection.count) {
    iovec pieces[PIECES_MAX];
    int used = 0;
    uint64_t offset = connection.sendOffset;
    for (uint32_t at = connection.sent; at < connection.count && used < PIECES_MAX; at++) {
      const Request& request = config_.requests[connection.at(at).request];
      const uint64_t size = request.wireBytes();
      while (offset < size && used < PIECES_MAX) {
        const char* data = request.text.data() + offset;
        uint64_t length = request.text.size() - offset;
        if (offset >= request.text.size()) {
          const uint64_t from = (offset - request.text.size()) % PATTERN_BYTES;
          data = pattern().data() + from;
          length = std::min<uint64_t>(PATTERN_BYTES - from, size - offset);
        }
        pieces[used++] = {const_cast<char*>(data), size_t(length)};
        offset += length;
      }
      if (offset < size) break;
      offset = 0;
    }
    const IoResult result = transportWrite(connection.fd.get(), connection.tls.get(), pieces, used);
    if (result.io == Io::Blocked) {
      connection.writable = false;
      return;
    }
    if (result.io != Io::Ok) {
      // An answer may have been sent before the connection was cut: read it first.
      connection.writable = false;
      connection.sawEnd = true;
      connection.readable = true;
      return receive(connection);
    }
    if (measuring_) tally_.bytesOut += result.bytes;
    connection.sendOffset += result.bytes;
    while (connection.sent < connection.count) {
      const uint64_t size = config_.requests[connection.at(connection.sent).request].wireBytes();
      if (connection.sendOffset < size) break;
      connection.sendOffset -= size;
      connection.sent++;
    }
  }
}

void Worker::receive(Connection& connection) {
  while (connection.state == Connection::State::Open && connection.readable) {
    const IoResult result =
        transportRead(connection.fd.get(), connection.tls.get(), input_.data(), input_.size());
    const Nanos now = nowNs();
    if (result.io == Io::Blocked) {
      connection.readable = false;
      break;
    }
    if (result.io == Io::End) return ended(connection, now, "closed before the answer was complete");
    if (result.io == Io::Failed) return ended(connection, now, "reset");
    // A short read has emptied the socket. TLS reads record by record, so it says nothing there.
    if (result.bytes < input_.size() && !connection.sawEnd && !connection.tls) {
      connection.readable = false;
    }
    if (measuring_ && now <= endNs_) tally_.bytesIn += result.bytes;
    if (!take(connection, std::string_view(input_.data(), result.bytes), now)) return;
  }
  if (connection.state == Connection::State::Open) afterAnswers(connection, nowNs());
}

/** False when the connection was closed. */
bool Worker::take(Connection& connection, std::string_view input, Nanos now) {
  using Event = ResponseParser::Event;
  for (;;) {
    if (!connection.answerBegun) {
      if (input.empty()) return true;
      if (connection.count == 0) {
        fail(connection, Failure::Malformed, now, "bytes that no request asked for");
        return false;
      }
      connection.parser.begin(config_.requests[connection.at(0).request].isHead);
      connection.check = AnswerCheck();
      connection.answerBegun = true;
    }
    switch (connection.parser.next(input)) {
      case Event::NeedMore: return true;
      case Event::Head: break;
      case Event::Body: checkBody(connection); break;
      case Event::Malformed:
        fail(connection, Failure::Malformed, now, connection.parser.problem());
        return false;
      case Event::Done: {
        const bool sent = connection.sent > 0;
        const bool goesOn = connection.parser.keepAlive() && sent;
        answered(connection, now);
        if (!goesOn) {
          close(connection, now);
          return false;
        }
        break;
      }
    }
  }
}

void Worker::checkBody(Connection& connection) {
  const std::string_view body = connection.parser.body();
  AnswerCheck& check = connection.check;
  const Expectation& expect = config_.requests[connection.at(0).request].expect;
  const uint64_t before = check.bytes;
  check.bytes += body.size();
  if (!expect.readsBody()) return;
  if (expect.crc32) check.crc = crc32(check.crc, body.data(), body.size());
  for (const auto* wanted : {&expect.body, &expect.prefix}) {
    if (!*wanted || before >= (*wanted)->size()) continue;
    const size_t size = std::min<size_t>(body.size(), (*wanted)->size() - size_t(before));
    if (memcmp((*wanted)->data() + before, body.data(), size) != 0) check.wrongBody = true;
  }
}

void Worker::answered(Connection& connection, Nanos now) {
  const Pending pending = connection.pop();
  if (connection.sent > 0) connection.sent--;
  connection.answerBegun = false;
  const unsigned status = connection.parser.status();
  const AnswerCheck& check = connection.check;
  const Expectation& expect = config_.requests[pending.request].expect;
  if (counts(pending.intendedNs, now)) tally_.statuses[status]++;
  if (now - pending.intendedNs > config_.timeout) {
    // The sweep for timeouts had no chance to see it; what counts is the time, not who noticed.
    return recordFailure(Failure::Timeout, pending.intendedNs, pending.request, now, "answered late");
  }
  if (!expect.allowsStatus(status)) {
    return recordFailure(Failure::Status, pending.intendedNs, pending.request, now,
                         format("got %u", status));
  }
  const auto wrongBody = [&](const std::string& why) {
    recordFailure(Failure::Body, pending.intendedNs, pending.request, now, why);
  };
  const auto length = [&](const char* what, uint64_t wanted) {
    return format("expected %s%llu bytes, got %llu", what, (unsigned long long)wanted,
                  (unsigned long long)check.bytes);
  };
  if (expect.bytes && check.bytes != *expect.bytes) return wrongBody(length("", *expect.bytes));
  if (expect.body && check.bytes != expect.body->size()) {
    return wrongBody(length("", expect.body->size()));
  }
  if (expect.prefix && check.bytes < expect.prefix->size()) {
    return wrongBody(length("at least ", expect.prefix->size()));
  }
  if (check.wrongBody) return wrongBody("the content differs");
  if (expect.crc32 && check.crc != *expect.crc32) {
    return wrongBody(format("expected crc32 %08x, got %08x", *expect.crc32, check.crc));
  }
  recordRight(pending, now);
}

/** All that was received is taken: ask again, or make room for a new connection. */
void Worker::afterAnswers(Connection& connection, Nanos now) {
  const bool usedUp = config_.requestsPerConnection > 0 && connection.count == 0 &&
                      connection.assigned >= config_.requestsPerConnection;
  if (usedUp) return close(connection, now);
  if (connection.count == config_.pipeline) return;
  refill(connection, now);
  send(connection);
}

void Worker::ended(Connection& connection, Nanos now, const char* how) {
  if (connection.answerBegun && connection.parser.end() == ResponseParser::Event::Done) {
    answered(connection, now);
    return close(connection, now);
  }
  if (connection.count == 0) {
    tally_.closedWhileIdle++;
    // A server that closes what it has just accepted must not be asked in a tight loop.
    return close(connection, connection.assigned > 0 ? now : now + RETRY_AFTER);
  }
  fail(connection, Failure::Reset, now, how);
}

void Worker::fail(Connection& connection, Failure failure, Nanos now, const std::string& why) {
  if (connection.count > 0) {
    const Pending pending = connection.pop();
    recordFailure(failure, pending.intendedNs, pending.request, now, why);
  } else {
    recordFailure(failure, now, NO_REQUEST, now, why);
  }
  close(connection, now);
}

/** Requests behind the one that ended the connection were not answered: they are sent again. */
void Worker::close(Connection& connection, Nanos retryAtNs) {
  // One constant delay, so the list of later ones is ordered by time.
  const bool later = retryAtNs > nowNs();
  const bool wasConnecting = connection.state == Connection::State::Connecting ||
                             connection.state == Connection::State::Handshaking;
  if (wasConnecting) connecting_--;
  const uint32_t left = connection.count;
  for (uint32_t at = 0; at < left; at++) {
    const Pending pending = connection.pop();
    tally_.sentAgain++;
    if (connection.waiting != nullptr) connection.waiting->push_back(pending.intendedNs);
    else again_.push_back(pending);
  }
  connection.tls.reset();
  connection.fd.reset();
  connection.state = Connection::State::Closed;
  connection.readable = connection.writable = connection.sawEnd = false;
  connection.answerBegun = false;
  connection.sent = 0;
  connection.sendOffset = 0;
  connection.retryAtNs = retryAtNs;
  (later ? toConnectLater_ : toConnect_).push_back(indexOf(connection));
}
