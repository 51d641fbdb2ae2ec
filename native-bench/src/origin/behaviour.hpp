// What one answer of the origin should look like, and the text form that says so: the query of the
// request, of `--port PORT?…` and of `--default …` are one grammar, `name=value&name=value`.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "common/clock.hpp"
#include "common/prng.hpp"

struct Delay {
  enum class Shape : uint8_t { Fixed, Uniform, Exponential };
  Shape shape = Shape::Fixed;
  Nanos low = 0;   // the value when fixed, the mean when exponential
  Nanos high = 0;  // uniform only
  Nanos sample(Prng& prng) const;
  bool isNone() const { return shape == Shape::Fixed && low == 0; }
};

enum class Framing : uint8_t { Sized, Chunked, UntilClose };

enum class Fault : uint8_t {
  None,
  Reset,      // RST instead of an answer
  ResetMid,   // head and half of the body, then RST
  Close,      // FIN instead of an answer
  CloseMid,   // head and half of the body, then FIN
  HalfHead,   // half of the head, then FIN
  Hang,       // no answer, the connection stays open
  HangHead,   // half of the head, then nothing
  HangMid,    // head and half of the body, then nothing
  Short,      // Content-Length is one more than what follows; then FIN
  Long,       // Content-Length is one less than what follows
  Garbage,    // 256 bytes that are not HTTP, then FIN
  BadChunk,   // a chunk whose size is not a number, then FIN
  WrongBody,  // the right length, the last byte changed
};

struct Behaviour {
  uint64_t bytes = 64;
  unsigned status = 200;
  Delay delay;
  Framing framing = Framing::Sized;
  uint64_t chunkBytes = 16 * 1024;
  Fault fault = Fault::None;
  uint64_t dripBytes = 0;  // 0: no drip
  Nanos dripEvery = 0;
  Nanos stall = 0;      // the whole process stops for so long
  unsigned interim = 0;  // number of 103 answers before the final one
  uint64_t every = 0;   // delay, fault, drip, stall and status only for each n-th request; 0: for all
  uint64_t at = 0;      // … only for the n-th request, counted from 1
  bool echo = false;
  bool stats = false;
};

/** Applies `name=value&…` on top of `base`. Throws UsageError that names the parameter. */
Behaviour behaviourFromQuery(Behaviour base, std::string_view query);

/** Applies the path (`/bytes/10k`, `/status/503`, `/echo`, `/stats`) and the query of a request. */
Behaviour behaviourFromTarget(const Behaviour& base, std::string_view target);

/** The same answer without what `every` and `at` select. */
Behaviour unselected(Behaviour behaviour);
