#include "origin/plan.hpp"

#include "common/pattern.hpp"
#include "common/prng.hpp"
#include "common/text.hpp"

namespace {

constexpr uint64_t INLINE_BYTES_MAX = 16 * 1024;

const char* reasonOf(unsigned status) {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 204: return "No Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    default: return "Status";
  }
}

std::string patternText(uint64_t bytes) {
  std::string text;
  text.reserve(bytes);
  while (text.size() < bytes) {
    text.append(pattern(), 0, std::min<uint64_t>(bytes - text.size(), PATTERN_BYTES));
  }
  return text;
}

Step textStep(std::string text) {
  Step step;
  step.text = std::move(text);
  return step;
}

Step plainStep(Step::Kind kind) {
  Step step;
  step.kind = kind;
  return step;
}

std::string garbage() {
  Prng prng(0x6172626167);
  std::string bytes;
  while (bytes.size() < 256) bytes += char(prng.next());
  return bytes;
}

/** Neighbouring texts become one, so that a usual answer is a single buffer. */
std::vector<Step> merged(std::vector<Step> steps) {
  std::vector<Step> out;
  for (auto& step : steps) {
    if (step.kind == Step::Kind::Text && !out.empty() && out.back().kind == Step::Kind::Text) {
      out.back().text += step.text;
    } else {
      out.push_back(std::move(step));
    }
  }
  return out;
}

class StepsMaker {
 public:
  StepsMaker(const Behaviour& behaviour, RequestShape shape, const std::string& extraHeaders)
      : behaviour_(behaviour), shape_(shape), extraHeaders_(extraHeaders) {}

  std::vector<Step> make() {
    if (behaviour_.stall > 0) {
      Step step = plainStep(Step::Kind::Stall);
      step.pause = behaviour_.stall;
      steps_.push_back(step);
    }
    if (!behaviour_.delay.isNone()) {
      Step step = plainStep(Step::Kind::Wait);
      step.delay = behaviour_.delay;
      steps_.push_back(step);
    }
    for (unsigned at = 0; at < behaviour_.interim && !shape_.http10; at++) {
      steps_.push_back(textStep("HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"));
    }
    answer();
    return merged(std::move(steps_));
  }

 private:
  bool bodiless() const {
    return shape_.head || behaviour_.status == 204 || behaviour_.status == 304;
  }

  Framing framing() const {
    if (behaviour_.fault == Fault::BadChunk) return Framing::Chunked;
    if (behaviour_.framing == Framing::Chunked && shape_.http10) return Framing::UntilClose;
    return behaviour_.framing;
  }

  std::string headText(int64_t lengthOff) const {
    std::string head = format("HTTP/1.1 %u %s\r\nContent-Type: text/plain\r\n", behaviour_.status,
                              reasonOf(behaviour_.status));
    const Framing frame = framing();
    if (behaviour_.status != 204) {
      if (frame == Framing::Sized) {
        head += format("Content-Length: %lld\r\n", (long long)behaviour_.bytes + lengthOff);
      } else if (frame == Framing::Chunked) {
        head += "Transfer-Encoding: chunked\r\n";
      }
    }
    head += extraHeaders_;
    const bool close = shape_.close || frame == Framing::UntilClose;
    if (close) head += "Connection: close\r\n";
    else if (shape_.http10) head += "Connection: keep-alive\r\n";
    return head + "\r\n";
  }

  void body(uint64_t bytes) {
    if (bodiless() || bytes == 0) return;
    const bool chunked = framing() == Framing::Chunked;
    Step step = plainStep(chunked ? Step::Kind::Chunks : Step::Kind::Pattern);
    step.bytes = bytes;
    step.piece = chunked ? behaviour_.chunkBytes : 0;
    if (behaviour_.dripBytes > 0) {
      step.piece = behaviour_.dripBytes;
      step.pause = behaviour_.dripEvery;
    }
    if (bytes > INLINE_BYTES_MAX || behaviour_.dripBytes > 0) {
      steps_.push_back(step);
    } else if (chunked) {
      const std::string text = patternText(bytes);
      for (uint64_t at = 0; at < bytes; at += step.piece) {
        const uint64_t size = std::min(step.piece, bytes - at);
        steps_.push_back(textStep(format("%llx\r\n", (unsigned long long)size) +
                                  text.substr(at, size) + "\r\n"));
      }
    } else {
      steps_.push_back(textStep(patternText(bytes)));
    }
  }

  void endOfBody() {
    if (!bodiless() && framing() == Framing::Chunked) steps_.push_back(textStep("0\r\n\r\n"));
  }

  void end(Step::Kind kind) { steps_.push_back(plainStep(kind)); }

  void answer() {
    const uint64_t bytes = behaviour_.bytes;
    const std::string head = headText(0);
    switch (behaviour_.fault) {
      case Fault::Reset: return end(Step::Kind::Reset);
      case Fault::Close: return end(Step::Kind::Close);
      case Fault::Hang: return end(Step::Kind::Hang);
      case Fault::HalfHead:
      case Fault::HangHead:
        steps_.push_back(textStep(head.substr(0, head.size() / 2)));
        return end(behaviour_.fault == Fault::HalfHead ? Step::Kind::Close : Step::Kind::Hang);
      case Fault::ResetMid:
      case Fault::CloseMid:
      case Fault::HangMid:
        steps_.push_back(textStep(head));
        body(bytes / 2);
        return end(behaviour_.fault == Fault::ResetMid   ? Step::Kind::Reset
                   : behaviour_.fault == Fault::CloseMid ? Step::Kind::Close
                                                         : Step::Kind::Hang);
      case Fault::Short:
        steps_.push_back(textStep(headText(1)));
        body(bytes);
        return end(Step::Kind::Close);
      case Fault::Long:
        steps_.push_back(textStep(headText(bytes > 0 ? -1 : 0)));
        body(bytes);
        break;
      case Fault::Garbage:
        steps_.push_back(textStep(garbage()));
        return end(Step::Kind::Close);
      case Fault::BadChunk:
        steps_.push_back(textStep(head + "zz\r\nnot a size\r\n"));
        return end(Step::Kind::Close);
      case Fault::WrongBody:
        steps_.push_back(textStep(head));
        if (bytes > 0 && !bodiless()) {
          body(bytes - 1);
          const bool chunked = framing() == Framing::Chunked;
          steps_.push_back(textStep(chunked ? "1\r\n!\r\n" : "!"));
        }
        endOfBody();
        break;
      case Fault::None:
        steps_.push_back(textStep(head));
        body(bytes);
        endOfBody();
        break;
    }
    if (shape_.close || framing() == Framing::UntilClose) end(Step::Kind::Close);
  }

  const Behaviour& behaviour_;
  const RequestShape shape_;
  const std::string& extraHeaders_;
  std::vector<Step> steps_;
};

}  // namespace

const std::vector<Step>& Plan::stepsForNext() const {
  if (!count) return steps;
  const uint64_t number = count->fetch_add(1, std::memory_order_relaxed) + 1;
  const bool selected = at > 0 ? number == at : number % every == 0;
  return selected ? steps : plainSteps;
}

Plan PlanMaker::make(const Behaviour& behaviour, RequestShape shape) const {
  Plan plan;
  plan.echo = behaviour.echo;
  plan.stats = behaviour.stats;
  plan.every = behaviour.every;
  plan.at = behaviour.at;
  plan.steps = StepsMaker(behaviour, shape, extraHeaders).make();
  if (plan.every > 0 || plan.at > 0) {
    const Behaviour plain = unselected(behaviour);
    plan.plainSteps = StepsMaker(plain, shape, extraHeaders).make();
  }
  return plan;
}

std::string PlanMaker::answer(unsigned status, const char* contentType, const std::string& body,
                              RequestShape shape) const {
  std::string out =
      format("HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n", status,
             reasonOf(status), contentType, body.size());
  out += extraHeaders;
  if (shape.close) out += "Connection: close\r\n";
  else if (shape.http10) out += "Connection: keep-alive\r\n";
  out += "\r\n";
  if (!shape.head) out += body;
  return out;
}
