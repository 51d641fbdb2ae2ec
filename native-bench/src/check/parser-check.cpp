// parser-check: throws damaged answers at the response parser. Whatever the damage and however the
// bytes are split, it must end, stay within its bounds, and come to the same verdict.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "common/crc32.hpp"
#include "common/prng.hpp"
#include "common/text.hpp"
#include "loadgen/response-parser.hpp"

namespace {

using Event = ResponseParser::Event;

/** What a reader learned; equal for every split of the same bytes. */
struct Verdict {
  std::vector<unsigned> statuses;
  unsigned complete = 0;
  uint64_t bodyBytes = 0;
  uint32_t bodyCrc = 0;
  Event last = Event::NeedMore;

  bool operator==(const Verdict& other) const {
    return statuses == other.statuses && complete == other.complete &&
           bodyBytes == other.bodyBytes && bodyCrc == other.bodyCrc && last == other.last;
  }
};

/** Feeds pieces of 1..`most` bytes; 0 feeds everything at once. */
Verdict read(const std::string& bytes, uint32_t most, Prng& prng) {
  ResponseParser parser;
  Verdict verdict;
  parser.begin(false);
  for (size_t at = 0; at < bytes.size();) {
    const size_t size = most == 0 ? bytes.size() : std::min<size_t>(1 + prng.below(most), bytes.size() - at);
    // A copy of its own, so that reading past the end of a piece is seen by the sanitizer.
    const std::vector<char> piece(bytes.begin() + long(at), bytes.begin() + long(at + size));
    std::string_view input(piece.data(), piece.size());
    at += size;
    for (size_t steps = 0;; steps++) {
      if (steps > 8 * size + 64) {
        fprintf(stderr, "parser-check: no progress\n");
        std::exit(1);
      }
      verdict.last = parser.next(input);
      if (verdict.last == Event::NeedMore) break;
      if (verdict.last == Event::Malformed) return verdict;
      if (verdict.last == Event::Head) verdict.statuses.push_back(parser.status());
      if (verdict.last == Event::Body) {
        verdict.bodyBytes += parser.body().size();
        verdict.bodyCrc = crc32(verdict.bodyCrc, parser.body().data(), parser.body().size());
      }
      if (verdict.last == Event::Done) {
        verdict.complete++;
        parser.begin(false);
        if (input.empty()) break;
      }
    }
  }
  if (verdict.last == Event::Done) verdict.last = Event::NeedMore;
  return verdict;
}

const std::vector<std::string>& answers() {
  static const std::vector<std::string> list = {
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
      "HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n",
      "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n10;a=b\r\n0123456789abcdef\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nTrailer: yes\r\nOther: no\r\n\r\n",
      "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end",
      "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 3\r\n\r\nno\n",
  };
  return list;
}

std::string damaged(Prng& prng) {
  std::string bytes;
  const uint32_t count = 1 + prng.below(3);
  for (uint32_t at = 0; at < count; at++) bytes += answers()[prng.below(uint32_t(answers().size()))];
  for (uint32_t wounds = prng.below(5); wounds > 0 && !bytes.empty(); wounds--) {
    const size_t at = prng.below(uint32_t(bytes.size()));
    switch (prng.below(7)) {
      case 0: bytes[at] = char(prng.next()); break;
      case 1: bytes[at] ^= char(1u << prng.below(8)); break;
      case 2: bytes.erase(at, 1 + prng.below(8)); break;
      case 3: bytes.insert(at, 1 + prng.below(4), "\r\n: 0f,;\0"[prng.below(9)]); break;
      case 4: bytes.insert(at, bytes.substr(prng.below(uint32_t(bytes.size())), prng.below(40))); break;
      case 5: bytes.resize(at); break;
      default: bytes.insert(at, prng.below(400) == 0 ? 70'000 : 5'000, 'a'); break;
    }
  }
  return bytes;
}

std::string noise(Prng& prng) {
  std::string bytes(prng.below(400), '\0');
  for (char& c : bytes) c = char(prng.next());
  return bytes;
}

}  // namespace

int main(int count, char** arguments) {
  const uint64_t rounds = count > 1 ? parseUnsigned(arguments[1]).value_or(20'000) : 20'000;
  const uint64_t seed = count > 2 ? parseUnsigned(arguments[2]).value_or(1) : 1;
  uint64_t complete = 0;
  uint64_t malformed = 0;
  for (uint64_t round = 0; round < rounds; round++) {
    Prng prng(seed + round);
    const std::string bytes = round % 10 == 0 ? noise(prng) : damaged(prng);
    const Verdict whole = read(bytes, 0, prng);
    complete += whole.complete;
    malformed += whole.last == Event::Malformed;
    for (const uint32_t most : {1u, 3u, 100u}) {
      if (read(bytes, most, prng) == whole) continue;
      std::string shown;
      appendJsonString(shown, std::string_view(bytes).substr(0, 2000));
      fprintf(stderr, "parser-check: seed %llu: split into 1..%u bytes it differs: %s\n",
              (unsigned long long)(seed + round), most, shown.c_str());
      return 1;
    }
  }
  printf("{\"rounds\":%llu,\"complete\":%llu,\"malformed\":%llu}\n", (unsigned long long)rounds,
         (unsigned long long)complete, (unsigned long long)malformed);
  return 0;
}
