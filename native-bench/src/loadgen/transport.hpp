// Bytes over a connected socket, plain or with TLS; both never block.
#pragma once
#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct TlsOptions {
  bool on = false;
  bool verify = true;
  std::string caFile;      // empty: the system's
  std::string serverName;  // for SNI and for the check of the name
  bool resume = false;     // offer the session of an earlier connection
};

/** True when this build has OpenSSL. */
bool tlsAvailable();

enum class Io : uint8_t { Ok, Blocked, End, Failed };

struct IoResult {
  Io io = Io::Ok;
  size_t bytes = 0;
};

class TlsContext;

/** One TLS connection; created only when TLS is on. */
class TlsSession;

struct TlsContextDeleter {
  void operator()(TlsContext* context) const;
};
struct TlsSessionDeleter {
  void operator()(TlsSession* session) const;
};
using TlsContextPtr = std::unique_ptr<TlsContext, TlsContextDeleter>;
using TlsSessionPtr = std::unique_ptr<TlsSession, TlsSessionDeleter>;

/** Throws UsageError. One per thread. */
TlsContextPtr makeTlsContext(const TlsOptions& options);
TlsSessionPtr makeTlsSession(TlsContext& context, int fd);

/** Ok when the handshake is complete. */
Io tlsHandshake(TlsSession& session);
/** What the last failure was. */
std::string tlsProblem(const TlsSession& session);
/** `TLSv1.3 TLS_AES_256_GCM_SHA384`. */
std::string tlsDescription(const TlsSession& session);

/** Reads once. For TLS, Ok may mean that more is waiting inside: read until Blocked. */
IoResult transportRead(int fd, TlsSession* tls, char* buffer, size_t size);

/** Writes once, as much as is taken. After Blocked the same bytes must come first again. */
IoResult transportWrite(int fd, TlsSession* tls, const iovec* pieces, int count);
