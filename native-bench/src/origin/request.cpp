#include "origin/request.hpp"

#include <algorithm>

#include "common/text.hpp"

namespace {

bool isToken(std::string_view text) {
  constexpr std::string_view MARKS = "!#$%&'*+-.^_`|~";
  if (text.empty()) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           MARKS.find(c) != std::string_view::npos;
  });
}

bool listHas(std::string_view list, std::string_view word) {
  for (const auto part : split(list, ',')) {
    if (equalsIgnoreCase(trim(part), word)) return true;
  }
  return false;
}

const char* parseRequestLine(std::string_view line, RequestHead& head) {
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return "request line: expected three words";
  head.method = line.substr(0, first);
  head.target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!isToken(head.method)) return "method: expected a token";
  for (const char c : head.target) {
    if (c <= ' ' || c == 0x7f) return "target: expected no blanks or control characters";
  }
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return "version: expected HTTP/1.1 or HTTP/1.0";
  head.http10 = version == "HTTP/1.0";
  head.keepAlive = !head.http10;
  return nullptr;
}

}  // namespace

const char* parseRequestHead(std::string_view text, RequestHead& head) {
  head = RequestHead();
  size_t end = text.find("\r\n");
  if (end == std::string_view::npos) return "head: expected lines that end with CRLF";
  if (const char* problem = parseRequestLine(text.substr(0, end), head)) return problem;
  bool sized = false;
  bool hasHost = false;
  for (text.remove_prefix(end + 2); text != "\r\n"; text.remove_prefix(end + 2)) {
    end = text.find("\r\n");
    if (end == std::string_view::npos) return "head: expected lines that end with CRLF";
    const std::string_view line = text.substr(0, end);
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return "header: expected a colon";
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trim(line.substr(colon + 1));
    if (!isToken(name)) return "header: expected a token before the colon";
    for (const char c : value) {
      const auto byte = static_cast<unsigned char>(c);
      if ((byte < 0x20 && c != '\t') || byte == 0x7f) return "header: control character in a value";
    }
    head.headers.emplace_back(name, value);
    if (equalsIgnoreCase(name, "content-length")) {
      const auto length = parseUnsigned(value);
      if (!length || (sized && *length != head.contentLength)) return "Content-Length: expected one number";
      head.contentLength = *length;
      sized = true;
    } else if (equalsIgnoreCase(name, "transfer-encoding")) {
      if (head.chunked || !equalsIgnoreCase(value, "chunked")) return "Transfer-Encoding: expected chunked";
      head.chunked = true;
    } else if (equalsIgnoreCase(name, "connection")) {
      if (listHas(value, "close")) head.keepAlive = false;
      else if (head.http10 && listHas(value, "keep-alive")) head.keepAlive = true;
    } else if (equalsIgnoreCase(name, "expect")) {
      if (!equalsIgnoreCase(value, "100-continue")) return "Expect: expected 100-continue";
      head.expectContinue = true;
    } else if (equalsIgnoreCase(name, "host")) {
      if (hasHost) return "Host: expected only one";
      hasHost = true;
    }
  }
  if (sized && head.chunked) return "both Content-Length and Transfer-Encoding";
  if (head.chunked && head.http10) return "Transfer-Encoding in HTTP/1.0";
  if (!hasHost && !head.http10) return "Host: missing";
  return nullptr;
}

void ChunkSkipper::step(char c) {
  switch (state) {
    case State::Size: {
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit >= 0 && digits_ < 15) {
        left = left * 16 + uint64_t(digit);
        digits_++;
      } else if (digits_ > 0 && digit < 0 && c == '\r') {
        state = State::SizeLf;
      } else if (digits_ > 0 && digit < 0 && (c == ';' || c == ' ' || c == '\t')) {
        state = State::Extension;
      } else {
        state = State::Bad;
      }
      return;
    }
    case State::Extension:
      if (c == '\r') state = State::SizeLf;
      else if (c == '\n' || ++lineBytes_ > HEAD_BYTES_MAX) state = State::Bad;
      return;
    case State::SizeLf:
      state = c != '\n' ? State::Bad : left > 0 ? State::Data : State::Trailer;
      digits_ = 0;
      lineBytes_ = 0;
      return;
    case State::DataCr: state = c == '\r' ? State::DataLf : State::Bad; return;
    case State::DataLf: state = c == '\n' ? State::Size : State::Bad; return;
    case State::Trailer:
      if (++trailerBytes_ > HEAD_BYTES_MAX) state = State::Bad;
      else if (c == '\n') {
        if (lineBytes_ == 0) state = State::Done;
        lineBytes_ = 0;
      } else if (c != '\r') lineBytes_++;
      return;
    default: return;
  }
}
