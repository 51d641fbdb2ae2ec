// The requests of a run: what is sent, what is expected back, how often each comes.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/prng.hpp"

/** What a right answer looks like. */
struct Expectation {
  std::vector<unsigned> statuses;       // 2 stands for 2xx …; empty: 2xx
  std::optional<std::string> body;      // exactly this
  std::optional<std::string> prefix;
  std::optional<uint64_t> bytes;
  std::optional<uint32_t> crc32;

  bool allowsStatus(unsigned status) const;
  bool readsBody() const { return body || prefix || crc32; }
};

/** `200`, `2xx`, `200,204,3xx`. Throws UsageError. */
std::vector<unsigned> parseStatuses(std::string_view text, const std::string& where);

struct RequestTemplate {
  std::string method;  // empty: GET, or POST when there is a body
  std::string path = "/";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  uint64_t bodyBytes = 0;  // of the pattern, when `body` is empty
  double weight = 1;
  Expectation expect;
};

/** A request in its wire form. */
struct Request {
  std::string text;        // the head, and the body when it is small
  uint64_t patternBytes = 0;  // of body after `text`
  bool isHead = false;
  Expectation expect;
  uint64_t wireBytes() const { return text.size() + patternBytes; }
};

/** Throws UsageError when a header or the path would break the request apart. */
Request makeRequest(const RequestTemplate& from, const std::string& host);

/** Reads a mix file: a JSON array of requests, or one JSON object per request. `base` gives what
 *  an entry leaves out. Throws UsageError. */
std::vector<RequestTemplate> parseMix(const std::string& text, const std::string& name,
                                      const RequestTemplate& base);

/** Picks entries by weight in constant time (Vose's alias method), or in turn. */
class Picker {
 public:
  Picker(const std::vector<double>& weights, bool inTurn, uint64_t seed, size_t first);
  uint32_t pick();

 private:
  std::vector<double> keep_;
  std::vector<uint32_t> alias_;
  bool inTurn_;
  uint32_t turn_;
  Prng prng_;
};
