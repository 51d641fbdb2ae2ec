// The origin's side of HTTP/1.1: a strict reader of request heads and bodies (RFC 9112). Strict,
// because a gateway under test should be caught when it forwards something ambiguous.
#pragma once
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

constexpr size_t HEAD_BYTES_MAX = 64 * 1024;

struct RequestHead {
  std::string_view method;
  std::string_view target;
  bool http10 = false;
  bool keepAlive = true;
  bool expectContinue = false;
  bool chunked = false;
  uint64_t contentLength = 0;
  std::vector<std::pair<std::string_view, std::string_view>> headers;
};

/** Parses a head that ends with its empty line; the views point into `text`. Returns nullptr, or
 *  what is wrong with it. */
const char* parseRequestHead(std::string_view text, RequestHead& head);

/** Discards a chunked body as it arrives. */
class ChunkSkipper {
 public:
  enum class State : uint8_t { Size, Extension, SizeLf, Data, DataCr, DataLf, Trailer, Done, Bad };

  /** Consumes from the front of `input`, calling `data(view)` for body bytes. */
  template <typename Data>
  void feed(std::string_view& input, Data&& data) {
    while (!input.empty() && state != State::Done && state != State::Bad) {
      if (state == State::Data) {
        const size_t size = size_t(std::min<uint64_t>(left, input.size()));
        data(input.substr(0, size));
        input.remove_prefix(size);
        left -= size;
        if (left == 0) state = State::DataCr;
      } else {
        step(input.front());
        input.remove_prefix(1);
      }
    }
  }

  State state = State::Size;
  uint64_t left = 0;

 private:
  void step(char c);

  unsigned digits_ = 0;
  size_t trailerBytes_ = 0;
  size_t lineBytes_ = 0;
};
