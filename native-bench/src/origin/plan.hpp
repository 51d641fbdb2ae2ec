// An answer as a list of steps, made once per request target and then only played.
#pragma once
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "origin/behaviour.hpp"

struct Step {
  enum class Kind : uint8_t {
    Text,     // send `text`
    Pattern,  // send `bytes` of the body pattern
    Chunks,   // the same as chunks of `piece` bytes; the last chunk is a step of its own
    Wait,     // sample `delay`
    Stall,    // stop the process for `pause`
    Close,    // FIN, then discard what still comes
    Reset,    // RST
    Hang,     // nothing more; the connection stays open and silent
  };
  Kind kind = Kind::Text;
  std::string text;
  uint64_t bytes = 0;
  uint64_t piece = 0;  // bytes per send; 0: as many as the socket takes
  Nanos pause = 0;     // after each piece
  Delay delay;
};

/** How the request shapes the answer besides its target. */
struct RequestShape {
  bool head = false;    // HEAD: no body
  bool close = false;   // the connection ends after this answer
  bool http10 = false;  // no chunked coding
};

struct Plan {
  std::vector<Step> steps;
  std::vector<Step> plainSteps;  // for requests that `every` and `at` do not select
  uint64_t every = 0;
  uint64_t at = 0;
  std::shared_ptr<std::atomic<uint64_t>> count;  // of requests, shared by all threads; may be null
  bool echo = false;
  bool stats = false;

  const std::vector<Step>& stepsForNext() const;
};

struct PlanMaker {
  std::string extraHeaders;  // each line with its CRLF

  Plan make(const Behaviour& behaviour, RequestShape shape) const;

  /** A complete answer with this body. */
  std::string answer(unsigned status, const char* contentType, const std::string& body,
                     RequestShape shape) const;
};
