#include "common/histogram.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "common/zlib-stream.hpp"

namespace {

constexpr uint32_t V2_COOKIE = 0x1c849303 | 0x10;
constexpr uint32_t V2_COMPRESSED_COOKIE = 0x1c849304 | 0x10;

void appendBig(std::string& out, uint64_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out += char(value >> shift);
}

/** ZigZag LEB128 with at most nine bytes: the ninth holds eight bits. */
void appendZigZag(std::string& out, int64_t value) {
  uint64_t rest = (uint64_t(value) << 1) ^ uint64_t(value >> 63);
  for (int byte = 0; byte < 8; byte++) {
    if (rest < 0x80) {
      out += char(rest);
      return;
    }
    out += char((rest & 0x7f) | 0x80);
    rest >>= 7;
  }
  out += char(rest);
}

}  // namespace

Histogram::Histogram(int64_t highest, int digits) : highest_(highest), digits_(digits) {
  // The smallest power of two that resolves 2 * 10^digits steps.
  const double steps = 2 * std::pow(10, digits);
  const int subBucketCountBits = int(std::ceil(std::log2(steps)));
  subBucketHalfCountBits_ = subBucketCountBits - 1;
  const uint64_t subBucketCount = uint64_t(1) << subBucketCountBits;
  subBucketMask_ = subBucketCount - 1;
  int buckets = 1;
  for (uint64_t reach = subBucketCount; reach <= uint64_t(highest); reach <<= 1) buckets++;
  counts_.assign(size_t(buckets + 1) * (subBucketCount / 2), 0);
}

size_t Histogram::indexOf(int64_t value) const {
  const int bucket =
      63 - subBucketHalfCountBits_ - __builtin_clzll(uint64_t(value) | subBucketMask_);
  const int64_t subBucket = value >> bucket;
  return (size_t(bucket) << subBucketHalfCountBits_) + size_t(subBucket);
}

int64_t Histogram::valueAt(size_t index) const {
  const size_t half = size_t(1) << subBucketHalfCountBits_;
  if (index < half * 2) return int64_t(index);
  const size_t bucket = (index >> subBucketHalfCountBits_) - 1;
  return int64_t((index & (half - 1)) + half) << bucket;
}

int64_t Histogram::rangeSize(int64_t value) const {
  const int bucket =
      63 - subBucketHalfCountBits_ - __builtin_clzll(uint64_t(value) | subBucketMask_);
  return int64_t(1) << bucket;
}

void Histogram::record(int64_t value, uint64_t count) {
  value = std::clamp<int64_t>(value, 0, highest_);
  counts_[indexOf(value)] += count;
  total_ += count;
  maxRecorded_ = std::max(maxRecorded_, value);
  minRecorded_ = std::min(minRecorded_, value);
}

void Histogram::add(const Histogram& other) {
  for (size_t at = 0; at < counts_.size(); at++) counts_[at] += other.counts_[at];
  total_ += other.total_;
  maxRecorded_ = std::max(maxRecorded_, other.maxRecorded_);
  minRecorded_ = std::min(minRecorded_, other.minRecorded_);
}

void Histogram::clear() {
  std::fill(counts_.begin(), counts_.end(), 0);
  total_ = 0;
  maxRecorded_ = 0;
  minRecorded_ = INT64_MAX;
}

double Histogram::mean() const {
  if (total_ == 0) return 0;
  double sum = 0;
  for (size_t at = 0; at < counts_.size(); at++) {
    if (counts_[at] == 0) continue;
    const int64_t value = valueAt(at);
    sum += (double(value) + double(rangeSize(value) >> 1)) * double(counts_[at]);
  }
  return sum / double(total_);
}

double Histogram::standardDeviation() const {
  if (total_ == 0) return 0;
  const double middle = mean();
  double sum = 0;
  for (size_t at = 0; at < counts_.size(); at++) {
    if (counts_[at] == 0) continue;
    const int64_t value = valueAt(at);
    const double off = double(value) + double(rangeSize(value) >> 1) - middle;
    sum += off * off * double(counts_[at]);
  }
  return std::sqrt(sum / double(total_));
}

int64_t Histogram::atPercentile(double percentile) const {
  if (total_ == 0) return 0;
  // One step towards zero first, so that 99.9 % of 1000 values is the 999th and not, through
  // rounding up, the 1000th.
  const double requested = std::nextafter(std::min(percentile, 100.0), 0.0);
  const double wanted = std::ceil(requested * double(total_) / 100);
  const uint64_t needed = std::max<uint64_t>(1, uint64_t(wanted));
  uint64_t seen = 0;
  for (size_t at = 0; at < counts_.size(); at++) {
    seen += counts_[at];
    if (seen >= needed) {
      const int64_t value = valueAt(at);
      return value + rangeSize(value) - 1;
    }
  }
  return max();
}

std::string Histogram::encode() const {
  std::string payload;
  const size_t used = indexOf(maxRecorded_) + 1;
  for (size_t at = 0; at < used;) {
    if (counts_[at] != 0) {
      appendZigZag(payload, int64_t(counts_[at++]));
      continue;
    }
    const size_t from = at;
    while (at < used && counts_[at] == 0) at++;
    // A single zero is itself; more are their number, negative.
    appendZigZag(payload, at - from > 1 ? -int64_t(at - from) : 0);
  }
  std::string plain;
  appendBig(plain, V2_COOKIE, 4);
  appendBig(plain, payload.size(), 4);
  appendBig(plain, 0, 4);  // normalizing index offset
  appendBig(plain, uint64_t(digits_), 4);
  appendBig(plain, 1, 8);  // lowest discernible value
  appendBig(plain, uint64_t(highest_), 8);
  uint64_t ratio = 0;  // integer to double conversion ratio
  const double one = 1.0;
  memcpy(&ratio, &one, sizeof ratio);
  appendBig(plain, ratio, 8);
  plain += payload;

  const std::string packed = zlibStored(plain);
  std::string out;
  appendBig(out, V2_COMPRESSED_COOKIE, 4);
  appendBig(out, packed.size(), 4);
  return base64(out + packed);
}
