// One connection of the origin, and what its thread lends it.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "common/event-loop.hpp"
#include "origin/request.hpp"
#include "origin/server.hpp"

struct Connection {
  UniqueFd fd;
  uint32_t slot = 0;
  uint32_t port = 0;         // index into OriginShared::ports
  uint32_t generation = 0;   // tells a late timer that the slot has another owner
  bool open = false;
  bool readable = false;
  bool sawEnd = false;       // the peer may have sent FIN: read until it shows
  bool waiting = false;      // for a timer
  bool silent = false;       // hangs on purpose
  bool lingering = false;         // our FIN is sent or will be; input is discarded
  bool finDue = false;            // lingering, and the FIN is still to be sent, after `out`

  std::string in;   // received and not yet parsed: a partial head, or what is behind a slow answer
  std::string out;  // made and not yet taken by the socket

  // The request whose body or answer is under way.
  bool inBody = false;
  bool chunked = false;
  uint64_t bodyLeft = 0;
  uint64_t bodyBytes = 0;
  uint32_t bodyCrc = 0;
  ChunkSkipper chunks;
  std::string echo;  // JSON of the head, when asked for

  // The answer under way: a position in the steps of a plan, which `plan` keeps alive.
  std::shared_ptr<const Plan> plan;
  const std::vector<Step>* steps = nullptr;
  size_t step = 0;
  uint64_t stepBytes = 0;
  bool stepWaited = false;

  // The head of the last request: a proxy or a load generator mostly repeats it byte for byte.
  std::string lastHead;
  uint64_t lastLength = 0;
  bool lastChunked = false;
  RequestShape lastShape;
};
