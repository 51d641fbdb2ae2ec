// HTTP/1.1 answers as they arrive, in any split (RFC 9112). Strict: what two readers could
// understand differently is malformed, since the point is to catch a gateway that sends it.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

class ResponseParser {
 public:
  static constexpr size_t HEAD_BYTES_MAX = 64 * 1024;

  enum class Event : uint8_t {
    NeedMore,   // all input is consumed, the answer is not complete
    Head,       // status() and keepAlive() are known
    Body,       // body() holds the next piece, valid until the next call
    Done,       // the answer is complete; begin() before the next
    Malformed,  // problem() says why; nothing more can be read from this connection
  };

  /** Prepares for the answer to a HEAD request or another. */
  void begin(bool toHeadRequest);

  /** Consumes from the front of `input` until something can be told. */
  Event next(std::string_view& input);

  /** The connection ended: Done when that is how this answer ends, otherwise NeedMore. */
  Event end() const { return state_ == State::UntilClose ? Event::Done : Event::NeedMore; }

  unsigned status() const { return status_; }
  bool keepAlive() const { return keepAlive_; }
  std::string_view body() const { return body_; }
  const char* problem() const { return problem_; }
  bool begun() const { return state_ != State::Head || !stored_.empty(); }

 private:
  enum class State : uint8_t {
    Head,
    Sized,
    UntilClose,
    ChunkLine,
    ChunkData,
    ChunkEnd,
    Trailer,
    Finished,
    Broken,
  };

  Event malformed(const char* why);
  Event readHead(std::string_view& input);
  Event parseHead(std::string_view text);
  const char* parseField(std::string_view line);
  Event readBody(std::string_view& input, State after);
  Event readChunkLine(std::string_view& input);
  Event readTrailer(std::string_view& input);
  bool takeLine(std::string_view& input, std::string_view& line);

  State state_ = State::Head;
  bool toHeadRequest_ = false;
  bool keepAlive_ = true;
  bool chunked_ = false;
  bool sized_ = false;
  uint16_t status_ = 0;
  uint32_t trailerBytes_ = 0;
  uint64_t left_ = 0;
  const char* problem_ = "";
  std::string_view body_;
  std::string stored_;  // a partial head or chunk line
};
