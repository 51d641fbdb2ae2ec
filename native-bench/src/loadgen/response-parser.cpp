#include "loadgen/response-parser.hpp"

#include <algorithm>
#include <array>

#include "common/text.hpp"

namespace {

constexpr size_t CHUNK_LINE_BYTES_MAX = 4096;

constexpr std::array<bool, 256> makeTokenTable() {
  std::array<bool, 256> table{};
  for (unsigned c = '0'; c <= '9'; c++) table[c] = true;
  for (unsigned c = 'a'; c <= 'z'; c++) table[c] = true;
  for (unsigned c = 'A'; c <= 'Z'; c++) table[c] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<unsigned char>(c)] = true;
  return table;
}
constexpr auto IS_TOKEN = makeTokenTable();

bool hasControl(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\t') || byte == 0x7f) return true;
  }
  return false;
}

bool isDigit(char c) { return c >= '0' && c <= '9'; }

int hexDigit(char c) {
  if (isDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

void ResponseParser::begin(bool toHeadRequest) {
  state_ = State::Head;
  toHeadRequest_ = toHeadRequest;
  status_ = 0;
  trailerBytes_ = 0;
  stored_.clear();
}

ResponseParser::Event ResponseParser::malformed(const char* why) {
  state_ = State::Broken;
  problem_ = why;
  return Event::Malformed;
}

ResponseParser::Event ResponseParser::next(std::string_view& input) {
  switch (state_) {
    case State::Head: return readHead(input);
    case State::Sized:
      if (left_ == 0) break;
      return readBody(input, State::Finished);
    case State::UntilClose:
      if (input.empty()) return Event::NeedMore;
      body_ = input;
      input = {};
      return Event::Body;
    case State::ChunkLine: return readChunkLine(input);
    case State::ChunkData: return readBody(input, State::ChunkEnd);
    case State::ChunkEnd: {
      std::string_view line;
      if (!takeLine(input, line)) return state_ == State::Broken ? Event::Malformed : Event::NeedMore;
      if (!line.empty()) return malformed("chunk: longer than its size");
      stored_.clear();
      state_ = State::ChunkLine;
      return next(input);
    }
    case State::Trailer: return readTrailer(input);
    case State::Finished: break;
    case State::Broken: return Event::Malformed;
  }
  state_ = State::Finished;
  return Event::Done;
}

ResponseParser::Event ResponseParser::readHead(std::string_view& input) {
  if (stored_.empty()) {
    // The usual case: the whole head is in the buffer and is parsed where it lies.
    const size_t end = input.find("\r\n\r\n");
    if (end != std::string_view::npos && end + 4 <= HEAD_BYTES_MAX) {
      const std::string_view text = input.substr(0, end + 4);
      input.remove_prefix(end + 4);
      return parseHead(text);
    }
  }
  // What cannot begin an answer is refused before a whole head of it is stored.
  constexpr std::string_view BEGIN = "HTTP/1.";
  const size_t before = stored_.size();
  stored_.append(input.substr(0, HEAD_BYTES_MAX + 1 - std::min(before, HEAD_BYTES_MAX)));
  const size_t known = std::min(stored_.size(), BEGIN.size());
  if (stored_.compare(0, known, BEGIN.substr(0, known)) != 0) {
    return malformed("status line: expected HTTP/1.1 or HTTP/1.0");
  }
  const size_t end = stored_.find("\r\n\r\n", before > 3 ? before - 3 : 0);
  if (end == std::string::npos || end + 4 > HEAD_BYTES_MAX) {
    if (stored_.size() > HEAD_BYTES_MAX) return malformed("head: longer than 64 KB");
    input = {};
    return Event::NeedMore;
  }
  input.remove_prefix(end + 4 - before);
  std::string text = stored_.substr(0, end + 4);
  stored_.clear();
  return parseHead(text);
}

ResponseParser::Event ResponseParser::parseHead(std::string_view text) {
  size_t end = text.find("\r\n");
  const std::string_view line = text.substr(0, end);
  if (line.size() < 12 || line.substr(0, 7) != "HTTP/1." || (line[7] != '0' && line[7] != '1') ||
      line[8] != ' ') {
    return malformed("status line: expected HTTP/1.1 or HTTP/1.0");
  }
  if (line[9] < '1' || line[9] > '5' || !isDigit(line[10]) || !isDigit(line[11]) ||
      (line.size() > 12 && line[12] != ' ')) {
    return malformed("status line: expected a status 100..599");
  }
  if (hasControl(line)) return malformed("status line: control character");
  status_ = uint16_t((line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0'));
  keepAlive_ = line[7] == '1';
  chunked_ = false;
  sized_ = false;
  left_ = 0;
  for (text.remove_prefix(end + 2); text.size() > 2; text.remove_prefix(end + 2)) {
    end = text.find("\r\n");
    if (const char* why = parseField(text.substr(0, end))) return malformed(why);
  }
  if (chunked_ && sized_) return malformed("head: both Content-Length and Transfer-Encoding");
  if (status_ < 200) {
    if (status_ == 101) return malformed("status 101 without having asked for it");
    state_ = State::Head;  // an interim answer; the final one follows
    return Event::Head;
  }
  if (toHeadRequest_ || status_ == 204 || status_ == 304) {
    left_ = 0;
    state_ = State::Sized;
  } else if (chunked_) {
    state_ = State::ChunkLine;
  } else if (sized_) {
    state_ = State::Sized;
  } else {
    keepAlive_ = false;
    state_ = State::UntilClose;
  }
  return Event::Head;
}

const char* ResponseParser::parseField(std::string_view line) {
  size_t colon = 0;
  while (colon < line.size() && IS_TOKEN[static_cast<unsigned char>(line[colon])]) colon++;
  if (colon == 0 || colon == line.size() || line[colon] != ':') return "header: expected NAME: VALUE";
  const std::string_view value = trim(line.substr(colon + 1));
  if (hasControl(value)) return "header: control character in a value";
  const std::string_view name = line.substr(0, colon);
  // The lengths of the three names that matter here spare the comparison for all others.
  if (colon == 14 && equalsIgnoreCase(name, "content-length")) {
    const auto length = parseUnsigned(value);
    if (!length) return "Content-Length: expected a number";
    if (sized_ && left_ != *length) return "Content-Length: twice and different";
    left_ = *length;
    sized_ = true;
  } else if (colon == 17 && equalsIgnoreCase(name, "transfer-encoding")) {
    if (chunked_ || !equalsIgnoreCase(value, "chunked")) return "Transfer-Encoding: expected chunked";
    chunked_ = true;
  } else if (colon == 10 && equalsIgnoreCase(name, "connection")) {
    for (const auto part : split(value, ',')) {
      if (equalsIgnoreCase(trim(part), "close")) keepAlive_ = false;
      if (equalsIgnoreCase(trim(part), "keep-alive")) keepAlive_ = true;
    }
  }
  return nullptr;
}

ResponseParser::Event ResponseParser::readBody(std::string_view& input, State after) {
  if (input.empty()) return Event::NeedMore;
  const size_t size = size_t(std::min<uint64_t>(left_, input.size()));
  body_ = input.substr(0, size);
  input.remove_prefix(size);
  left_ -= size;
  if (left_ == 0) state_ = after;
  return Event::Body;
}

/** A line without its CRLF: from `input` when it is there as a whole, otherwise from `stored_`,
 *  which the caller clears. */
bool ResponseParser::takeLine(std::string_view& input, std::string_view& line) {
  const size_t feed = input.find('\n');
  const std::string_view piece = input.substr(0, feed == std::string_view::npos ? feed : feed + 1);
  if (stored_.size() + piece.size() > CHUNK_LINE_BYTES_MAX) {
    malformed("chunk: line longer than 4 KB");
    return false;
  }
  input.remove_prefix(piece.size());
  if (feed == std::string_view::npos || !stored_.empty()) stored_.append(piece);
  if (feed == std::string_view::npos) return false;
  line = stored_.empty() ? piece : std::string_view(stored_);
  if (line.size() < 2 || line[line.size() - 2] != '\r') {
    malformed("chunk: line ends without CR");
    return false;
  }
  line.remove_suffix(2);
  return true;
}

ResponseParser::Event ResponseParser::readChunkLine(std::string_view& input) {
  std::string_view line;
  if (!takeLine(input, line)) return state_ == State::Broken ? Event::Malformed : Event::NeedMore;
  size_t digits = 0;
  uint64_t size = 0;
  while (digits < line.size() && hexDigit(line[digits]) >= 0 && digits < 15) {
    size = size * 16 + uint64_t(hexDigit(line[digits++]));
  }
  const std::string_view rest = trim(line.substr(digits));
  if (digits == 0 || (!rest.empty() && rest[0] != ';') || hasControl(rest)) {
    return malformed("chunk: expected a hexadecimal size");
  }
  stored_.clear();
  left_ = size;
  state_ = size > 0 ? State::ChunkData : State::Trailer;
  return next(input);
}

ResponseParser::Event ResponseParser::readTrailer(std::string_view& input) {
  std::string_view line;
  while (takeLine(input, line)) {
    trailerBytes_ += uint32_t(line.size());
    if (trailerBytes_ > HEAD_BYTES_MAX) return malformed("trailer: longer than 64 KB");
    if (line.empty()) {
      stored_.clear();
      state_ = State::Finished;
      return Event::Done;
    }
    size_t colon = 0;
    while (colon < line.size() && IS_TOKEN[static_cast<unsigned char>(line[colon])]) colon++;
    if (colon == 0 || colon == line.size() || line[colon] != ':' || hasControl(line)) {
      return malformed("trailer: expected NAME: VALUE");
    }
    stored_.clear();
  }
  return state_ == State::Broken ? Event::Malformed : Event::NeedMore;
}
