// A high dynamic range histogram (Gil Tene, HdrHistogram) of latencies in nanoseconds, and its
// standard text form: the compressed V2 encoding in base64 that begins with HISTFAAA.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

class Histogram {
 public:
  /** Values 0..`highest` with a relative error below 10^-`digits`; higher values count as `highest`.
   *  The default holds one nanosecond to one hour with three digits in 270 KB. */
  explicit Histogram(int64_t highest = 3'600'000'000'000, int digits = 3);

  void record(int64_t value, uint64_t count = 1);
  void add(const Histogram& other);  // of the same range and precision
  void clear();

  uint64_t total() const { return total_; }
  int64_t max() const { return total_ > 0 ? highestEquivalent(maxRecorded_) : 0; }
  int64_t min() const { return total_ > 0 ? lowestEquivalent(minRecorded_) : 0; }
  double mean() const;
  double standardDeviation() const;

  /** The largest value that `percentile` % of the values do not exceed, as HdrHistogram defines it. */
  int64_t atPercentile(double percentile) const;

  /** Compressed V2, base64. */
  std::string encode() const;

 private:
  size_t indexOf(int64_t value) const;
  int64_t valueAt(size_t index) const;
  int64_t lowestEquivalent(int64_t value) const { return valueAt(indexOf(value)); }
  int64_t rangeSize(int64_t value) const;
  int64_t highestEquivalent(int64_t value) const {
    return lowestEquivalent(value) + rangeSize(value) - 1;
  }

  int64_t highest_;
  int digits_;
  int subBucketHalfCountBits_;
  uint64_t subBucketMask_;
  std::vector<uint64_t> counts_;
  uint64_t total_ = 0;
  int64_t maxRecorded_ = 0;
  int64_t minRecorded_ = INT64_MAX;
};
