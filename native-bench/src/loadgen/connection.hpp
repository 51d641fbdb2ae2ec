// One connection of the load generator and the requests under way on it.
#pragma once
#include <cstdint>
#include <deque>
#include <vector>

#include "common/clock.hpp"
#include "common/socket.hpp"
#include "loadgen/response-parser.hpp"
#include "loadgen/transport.hpp"

/** A request that was begun: what its latency is measured from, and which it is. */
struct Pending {
  Nanos intendedNs;
  Nanos sentNs;
  uint32_t request;
};

/** Checks the answer under way against what was expected of it. */
struct AnswerCheck {
  uint64_t bytes = 0;
  uint32_t crc = 0;
  bool wrongBody = false;
};

struct Connection {
  enum class State : uint8_t { Closed, Connecting, Handshaking, Open };

  // The TLS session says good-bye through the descriptor, so it must be destroyed before it.
  UniqueFd fd;
  TlsSessionPtr tls;
  State state = State::Closed;
  uint32_t generation = 0;  // tells a late event that the slot has another descriptor
  bool readable = false;
  bool writable = false;
  bool sawEnd = false;
  bool offered = false;     // is in the list of connections that can take a request
  bool answerBegun = false;
  Nanos connectStartedNs = 0;
  Nanos retryAtNs = 0;
  uint64_t assigned = 0;    // requests given to this connection since it was opened

  std::vector<Pending> ring;  // of the pipelining depth
  uint32_t first = 0;
  uint32_t count = 0;
  uint32_t sent = 0;          // of `count`, completely
  uint64_t sendOffset = 0;    // into the next

  ResponseParser parser;
  AnswerCheck check;
  std::deque<Nanos>* waiting = nullptr;  // idle mode: intended times that found it busy or closed

  Pending& at(uint32_t index) { return ring[(first + index) % ring.size()]; }
  void push(Pending pending) {
    ring[(first + count) % ring.size()] = pending;
    count++;
  }
  Pending pop() {
    const Pending pending = ring[first];
    first = uint32_t((first + 1) % ring.size());
    count--;
    return pending;
  }
};
