// Sockets: addresses, non-blocking descriptors, the limit on open files.
#pragma once
#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

/** Owns one descriptor. */
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~UniqueFd() { reset(); }
  void reset(int fd = -1);
  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
  const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&storage); }
  bool isLoopback() const;
  uint16_t port() const;
  std::string text() const;  // 127.0.0.1:80 or [::1]:80
};

/** Resolves a name or a literal; IPv4 first, since that is what most servers under test listen on.
 *  Throws UsageError. */
std::vector<Address> resolve(const std::string& host, uint16_t port);

/** A non-blocking socket with its connect under way; -1 with errno set when it failed at once. */
int connectStart(const Address& address);

/** The outcome of a connect that became writable: 0 or an errno value. */
int connectOutcome(int fd);

/** A listening socket with SO_REUSEPORT; accepted sockets inherit TCP_NODELAY from it. Throws std::system_error. */
UniqueFd listenOn(const Address& address, int backlog);

Address localAddress(int fd);

/** Makes close() send RST instead of FIN. */
void resetOnClose(int fd);

/** Raises the soft limit on open files as far as allowed; returns the limit in force. */
uint64_t raiseFileLimit(uint64_t wanted);
