// Answers: the steps of a plan, played as fast as the socket takes them.
#include <algorithm>
#include <cerrno>

#include "common/pattern.hpp"
#include "common/text.hpp"
#include "origin/thread.hpp"

namespace {
constexpr size_t OUT_BYTES_MAX = 256 * 1024;
constexpr size_t INLINE_BYTES_MAX = 64 * 1024;
}  // namespace

OriginThread::Progress OriginThread::play(Connection& connection) {
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
          flush(connection);  // answers to earlier pipelined requests
          if (!connection.open) return Progress::Closed;
          startTimer(connection, step.delay.sample(prng_));
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

OriginThread::Progress OriginThread::playBody(Connection& connection, const Step& step) {
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
        if (errno == EAGAIN) return Progress::Blocked;
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
bool OriginThread::flush(Connection& connection) {
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
void OriginThread::linger(Connection& connection) {
  if (!connection.open) return;
  connection.lingering = true;
  connection.finDue = true;
  discard(connection);
}
