// The origin's threads. Each has its own listening sockets (SO_REUSEPORT), event loop, connections
// and plans; they share only the counters of `every`/`at`, the stall and the stop flag.
#pragma once
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/socket.hpp"
#include "origin/behaviour.hpp"
#include "origin/plan.hpp"

struct OriginPort {
  Address address;
  Behaviour behaviour;
};

struct PortCounters {
  std::atomic<uint64_t> requests{0};
  std::atomic<uint64_t> connections{0};
  std::atomic<uint64_t> open{0};
  std::atomic<uint64_t> bodyBytes{0};
  std::atomic<uint64_t> malformed{0};
};

/** What the threads of one origin have in common. */
struct OriginShared {
  std::vector<OriginPort> ports;
  PlanMaker planMaker;
  std::atomic<bool> stopping{false};
  std::atomic<Nanos> stalledUntilNs{0};
  std::vector<std::unique_ptr<PortCounters[]>> counters;  // one array of ports per thread

  std::shared_ptr<std::atomic<uint64_t>> counterFor(const std::string& key);
  std::string statsJson() const;

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<std::atomic<uint64_t>>> countersByTarget_;
};

/** Serves until `shared.stopping`; `listeners` are in the order of `shared.ports`. */
void serve(OriginShared& shared, size_t thread, std::vector<UniqueFd> listeners);
