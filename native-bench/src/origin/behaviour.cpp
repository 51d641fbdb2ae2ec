#include "origin/behaviour.hpp"

#include <algorithm>
#include <utility>

#include "common/text.hpp"

namespace {

constexpr std::pair<const char*, Fault> FAULTS[] = {
    {"none", Fault::None},          {"reset", Fault::Reset},
    {"reset-mid", Fault::ResetMid}, {"close", Fault::Close},
    {"close-mid", Fault::CloseMid}, {"half-head", Fault::HalfHead},
    {"hang", Fault::Hang},          {"hang-head", Fault::HangHead},
    {"hang-mid", Fault::HangMid},   {"short", Fault::Short},
    {"long", Fault::Long},          {"garbage", Fault::Garbage},
    {"bad-chunk", Fault::BadChunk}, {"wrong-body", Fault::WrongBody},
};

[[noreturn]] void refuse(std::string_view name, const char* expected, std::string_view value) {
  throw UsageError(std::string(name) + ": expected " + expected + ", got \"" + std::string(value) +
                   "\"");
}

uint64_t sizeOf(std::string_view name, std::string_view value) {
  const auto size = parseByteSize(value);
  if (!size) refuse(name, "a size such as 64, 10k or 1m", value);
  return *size;
}

Nanos durationOf(std::string_view name, std::string_view value) {
  const auto duration = parseDuration(value);
  if (!duration) refuse(name, "a duration such as 250us, 10ms or 1s", value);
  return *duration;
}

uint64_t countOf(std::string_view name, std::string_view value, uint64_t least, uint64_t most) {
  const auto count = parseUnsigned(value);
  if (!count || *count < least || *count > most) {
    refuse(name, format("%llu..%llu", (unsigned long long)least, (unsigned long long)most).c_str(),
           value);
  }
  return *count;
}

/** `10ms`, `fixed:10ms`, `uniform:5ms-20ms`, `exp:10ms`. */
Delay delayOf(std::string_view value) {
  constexpr const char* EXPECTED = "10ms, fixed:10ms, uniform:5ms-20ms or exp:10ms";
  Delay delay;
  const size_t colon = value.find(':');
  const std::string_view shape = colon == std::string_view::npos ? "fixed" : value.substr(0, colon);
  const std::string_view rest = colon == std::string_view::npos ? value : value.substr(colon + 1);
  if (shape == "uniform") {
    const auto ends = split(rest, '-');
    if (ends.size() != 2) refuse("delay", EXPECTED, value);
    delay.shape = Delay::Shape::Uniform;
    delay.low = durationOf("delay", ends[0]);
    delay.high = durationOf("delay", ends[1]);
    if (delay.high < delay.low) refuse("delay", "the smaller end first", value);
    return delay;
  }
  if (shape == "exp") delay.shape = Delay::Shape::Exponential;
  else if (shape != "fixed") refuse("delay", EXPECTED, value);
  delay.low = durationOf("delay", rest);
  return delay;
}

void apply(Behaviour& to, std::string_view name, std::string_view value) {
  if (name == "bytes") {
    to.bytes = sizeOf(name, value);
  } else if (name == "status") {
    to.status = unsigned(countOf(name, value, 200, 599));
  } else if (name == "delay") {
    to.delay = delayOf(value);
  } else if (name == "framing") {
    if (value == "sized") to.framing = Framing::Sized;
    else if (value == "chunked") to.framing = Framing::Chunked;
    else if (value == "close") to.framing = Framing::UntilClose;
    else refuse(name, "sized, chunked or close", value);
  } else if (name == "chunk") {
    to.chunkBytes = sizeOf(name, value);
    if (to.chunkBytes < 1 || to.chunkBytes > (1 << 20)) refuse(name, "1..1m", value);
  } else if (name == "fault") {
    const auto* found = std::find_if(std::begin(FAULTS), std::end(FAULTS),
                                     [&](const auto& entry) { return value == entry.first; });
    if (found == std::end(FAULTS)) {
      refuse(name,
             "reset, reset-mid, close, close-mid, half-head, hang, hang-head, hang-mid, short, "
             "long, garbage, bad-chunk, wrong-body or none",
             value);
    }
    to.fault = found->second;
  } else if (name == "drip") {
    const auto parts = split(value, ':');
    if (parts.size() != 2) refuse(name, "BYTES:INTERVAL such as 16:10ms", value);
    to.dripBytes = sizeOf(name, parts[0]);
    to.dripEvery = durationOf(name, parts[1]);
    if (to.dripBytes < 1 || to.dripBytes > (1 << 20)) refuse(name, "1..1m bytes", value);
  } else if (name == "stall") {
    to.stall = durationOf(name, value);
    if (to.stall > 60 * SECOND) refuse(name, "at most 60s", value);
  } else if (name == "interim") {
    to.interim = unsigned(countOf(name, value, 0, 16));
  } else if (name == "every") {
    to.every = countOf(name, value, 1, 1'000'000'000);
  } else if (name == "at") {
    to.at = countOf(name, value, 1, 1'000'000'000);
  } else if (name.empty() || name[0] != '_') {
    // Names with an underscore are free for cache busting and for marking requests.
    refuse("parameter",
           "bytes, status, delay, framing, chunk, fault, drip, stall, interim, every, at or a name "
           "that begins with _",
           name);
  }
}

}  // namespace

Nanos Delay::sample(Prng& prng) const {
  if (shape == Shape::Uniform) return low + Nanos(prng.unit() * double(high - low));
  if (shape == Shape::Exponential) return Nanos(prng.exponential(double(low)));
  return low;
}

Behaviour behaviourFromQuery(Behaviour base, std::string_view query) {
  if (query.empty()) return base;
  for (const std::string_view pair : split(query, '&')) {
    const size_t equals = pair.find('=');
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    apply(base, pair.substr(0, equals), percentDecode(value));
  }
  return base;
}

Behaviour behaviourFromTarget(const Behaviour& base, std::string_view target) {
  Behaviour behaviour = base;
  const size_t mark = target.find('?');
  const std::string_view path = target.substr(0, mark);
  constexpr std::string_view BYTES = "/bytes/";
  constexpr std::string_view STATUS = "/status/";
  if (path.substr(0, BYTES.size()) == BYTES) apply(behaviour, "bytes", path.substr(BYTES.size()));
  if (path.substr(0, STATUS.size()) == STATUS) {
    apply(behaviour, "status", path.substr(STATUS.size()));
  }
  behaviour.echo = path == "/echo";
  behaviour.stats = path == "/stats";
  if (mark == std::string_view::npos) return behaviour;
  return behaviourFromQuery(behaviour, target.substr(mark + 1));
}

Behaviour unselected(Behaviour behaviour) {
  behaviour.delay = {};
  behaviour.fault = Fault::None;
  behaviour.dripBytes = 0;
  behaviour.stall = 0;
  behaviour.status = 200;
  behaviour.every = 0;
  behaviour.at = 0;
  return behaviour;
}
