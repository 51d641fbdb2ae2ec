#include "common/text.hpp"
#include "origin/server.hpp"

std::shared_ptr<std::atomic<uint64_t>> OriginShared::counterFor(const std::string& key) {
  const std::lock_guard lock(mutex_);
  auto& counter = countersByTarget_[key];
  if (!counter) counter = std::make_shared<std::atomic<uint64_t>>(0);
  return counter;
}

std::string OriginShared::statsJson() const {
  std::string json = "{\"ports\":[";
  for (size_t port = 0; port < ports.size(); port++) {
    uint64_t requests = 0, connections = 0, open = 0, bodyBytes = 0, malformed = 0;
    for (const auto& thread : counters) {
      requests += thread[port].requests.load(std::memory_order_relaxed);
      connections += thread[port].connections.load(std::memory_order_relaxed);
      open += thread[port].open.load(std::memory_order_relaxed);
      bodyBytes += thread[port].bodyBytes.load(std::memory_order_relaxed);
      malformed += thread[port].malformed.load(std::memory_order_relaxed);
    }
    json += format(
        "%s{\"port\":%u,\"requests\":%llu,\"connections\":%llu,\"open\":%llu,\"bodyBytes\":%llu,"
        "\"malformed\":%llu}",
        port > 0 ? "," : "", ports[port].address.port(), (unsigned long long)requests,
        (unsigned long long)connections, (unsigned long long)open, (unsigned long long)bodyBytes,
        (unsigned long long)malformed);
  }
  return json + "]}\n";
}
