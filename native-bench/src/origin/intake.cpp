// Requests: heads, bodies, refusals, and the plan that answers them.
#include <algorithm>
#include <cstring>

#include "common/crc32.hpp"
#include "common/text.hpp"
#include "origin/thread.hpp"

namespace {
constexpr size_t PLANS_MAX = 4096;  // per thread; beyond it plans are made per request
constexpr size_t HEAD_CACHE_BYTES_MAX = 2048;
}  // namespace

/** Takes one request from the front of `input`. False: it is not complete, or it was refused. */
bool OriginThread::takeRequest(Connection& connection, std::string_view& input) {
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

bool OriginThread::headDone(Connection& connection, std::string_view& input) {
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

bool OriginThread::takeBody(Connection& connection, std::string_view& input) {
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

void OriginThread::beginAnswer(Connection& connection) {
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

void OriginThread::refuse(Connection& connection, unsigned status, const std::string& why) {
  bump(counters_[connection.port].malformed);
  RequestShape shape;
  shape.close = true;
  batch_ += shared_.planMaker.answer(status, "text/plain", why + "\n", shape);
  flush(connection);
  linger(connection);
}

std::shared_ptr<const Plan> OriginThread::planFor(uint32_t port, std::string_view target, RequestShape shape) {
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

std::string OriginThread::echoHead(const RequestHead& head) {
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

std::string OriginThread::echoBody(const Connection& connection) const {
  return connection.echo +
         format(",\"bodyBytes\":%llu,\"bodyCrc32\":\"%08x\",\"port\":%u}\n",
                (unsigned long long)connection.bodyBytes, connection.bodyCrc,
                shared_.ports[connection.port].address.port());
}
