#include "loadgen/transport.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/text.hpp"

#if NATIVE_BENCH_TLS
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

class TlsContext {
 public:
  explicit TlsContext(const TlsOptions& given) : options(given), context(SSL_CTX_new(TLS_client_method())) {
    if (context == nullptr) throw UsageError("cannot set up TLS");
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    const unsigned char protocols[] = "\x08http/1.1";
    SSL_CTX_set_alpn_protos(context, protocols, sizeof protocols - 1);
    if (options.verify) {
      SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
      const bool ok = options.caFile.empty()
                          ? SSL_CTX_set_default_verify_paths(context) == 1
                          : SSL_CTX_load_verify_locations(context, options.caFile.c_str(), nullptr) == 1;
      if (!ok) {
        SSL_CTX_free(context);
        throw UsageError("--ca: cannot read certificates from \"" + options.caFile + "\"");
      }
    }
    if (options.resume) {
      SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
      SSL_CTX_set_app_data(context, this);
      SSL_CTX_sess_set_new_cb(context, [](SSL* ssl, SSL_SESSION* session) {
        auto* self = static_cast<TlsContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
        // Kept as bytes: OpenSSL marks a TLS 1.3 session that was resumed as not resumable, and the
        // mark would pass on to the session of the next ticket.
        self->lastSession.resize(size_t(std::max(i2d_SSL_SESSION(session, nullptr), 0)));
        auto* to = reinterpret_cast<unsigned char*>(self->lastSession.data());
        i2d_SSL_SESSION(session, &to);
        return 0;
      });
    } else {
      SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    }
  }
  ~TlsContext() { SSL_CTX_free(context); }
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  const TlsOptions options;
  SSL_CTX* const context;
  std::string lastSession;  // DER; empty before the first
};

class TlsSession {
 public:
  TlsSession(TlsContext& context, int fd) : ssl(SSL_new(context.context)) {
    SSL_set_fd(ssl, fd);
    SSL_set_connect_state(ssl);
    const std::string& name = context.options.serverName;
    const bool literal = name.find(':') != std::string::npos ||
                         name.find_first_not_of("0123456789.") == std::string::npos;
    if (!literal) SSL_set_tlsext_host_name(ssl, name.c_str());
    if (context.options.verify) {
      if (literal) X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name.c_str());
      else SSL_set1_host(ssl, name.c_str());
    }
    if (!context.lastSession.empty()) {
      const auto* from = reinterpret_cast<const unsigned char*>(context.lastSession.data());
      SSL_SESSION* session = d2i_SSL_SESSION(nullptr, &from, long(context.lastSession.size()));
      SSL_set_session(ssl, session);
      SSL_SESSION_free(session);
    }
  }
  ~TlsSession() {
    // Without close_notify a server may count the end as an attack; one try, no waiting.
    if (established) SSL_shutdown(ssl);
    SSL_free(ssl);
  }
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  SSL* const ssl;
  bool established = false;
  std::string problem;
};

namespace {

Io outcomeOf(TlsSession& session, int result) {
  const int kind = SSL_get_error(session.ssl, result);
  if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) return Io::Blocked;
  session.established = false;  // nothing more may be said on this connection
  if (kind == SSL_ERROR_ZERO_RETURN) return Io::End;
  const unsigned long code = ERR_peek_last_error();
  if (kind == SSL_ERROR_SSL && ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) return Io::End;
  const long verified = SSL_get_verify_result(session.ssl);
  if (verified != X509_V_OK) session.problem = X509_verify_cert_error_string(verified);
  else if (code != 0) session.problem = ERR_reason_error_string(code) ? ERR_reason_error_string(code) : "TLS error";
  else session.problem = errno != 0 ? strerror(errno) : "connection ended";
  return Io::Failed;
}

}  // namespace

bool tlsAvailable() { return true; }

void TlsContextDeleter::operator()(TlsContext* context) const { delete context; }
void TlsSessionDeleter::operator()(TlsSession* session) const { delete session; }

TlsContextPtr makeTlsContext(const TlsOptions& options) {
  return TlsContextPtr(options.on ? new TlsContext(options) : nullptr);
}

TlsSessionPtr makeTlsSession(TlsContext& context, int fd) {
  return TlsSessionPtr(new TlsSession(context, fd));
}

Io tlsHandshake(TlsSession& session) {
  ERR_clear_error();
  const int result = SSL_do_handshake(session.ssl);
  if (result != 1) return outcomeOf(session, result);
  session.established = true;
  return Io::Ok;
}

std::string tlsProblem(const TlsSession& session) { return session.problem; }

std::string tlsDescription(const TlsSession& session) {
  return format("%s %s", SSL_get_version(session.ssl), SSL_get_cipher_name(session.ssl));
}

static IoResult tlsRead(TlsSession& session, char* buffer, size_t size) {
  ERR_clear_error();
  const int result = SSL_read(session.ssl, buffer, int(std::min<size_t>(size, INT32_MAX)));
  if (result > 0) return {Io::Ok, size_t(result)};
  return {outcomeOf(session, result), 0};
}

static IoResult tlsWrite(TlsSession& session, const iovec* pieces, int count) {
  constexpr size_t RECORD_BYTES_MAX = 16 * 1024;
  char record[RECORD_BYTES_MAX];
  const char* data = static_cast<const char*>(pieces[0].iov_base);
  size_t size = pieces[0].iov_len;
  if (count > 1 && size < RECORD_BYTES_MAX) {
    // Several small requests share a record, as a pipelining client would send them.
    size = 0;
    for (int at = 0; at < count && size < RECORD_BYTES_MAX; at++) {
      const size_t part = std::min(pieces[at].iov_len, RECORD_BYTES_MAX - size);
      memcpy(record + size, pieces[at].iov_base, part);
      size += part;
    }
    data = record;
  }
  ERR_clear_error();
  const int result = SSL_write(session.ssl, data, int(std::min<size_t>(size, 1 << 30)));
  if (result > 0) return {Io::Ok, size_t(result)};
  return {outcomeOf(session, result), 0};
}

#else

class TlsContext {};
class TlsSession {};

bool tlsAvailable() { return false; }
void TlsContextDeleter::operator()(TlsContext* context) const { delete context; }
void TlsSessionDeleter::operator()(TlsSession* session) const { delete session; }
TlsContextPtr makeTlsContext(const TlsOptions&) { return nullptr; }
TlsSessionPtr makeTlsSession(TlsContext&, int) { return nullptr; }
Io tlsHandshake(TlsSession&) { return Io::Failed; }
std::string tlsProblem(const TlsSession&) { return "built without TLS"; }
std::string tlsDescription(const TlsSession&) { return ""; }
static IoResult tlsRead(TlsSession&, char*, size_t) { return {Io::Failed, 0}; }
static IoResult tlsWrite(TlsSession&, const iovec*, int) { return {Io::Failed, 0}; }

#endif

IoResult transportRead(int fd, TlsSession* tls, char* buffer, size_t size) {
  if (tls != nullptr) return tlsRead(*tls, buffer, size);
  for (;;) {
    const ssize_t received = recv(fd, buffer, size, 0);
    if (received > 0) return {Io::Ok, size_t(received)};
    if (received == 0) return {Io::End, 0};
    if (errno == EINTR) continue;
    return {errno == EAGAIN ? Io::Blocked : Io::Failed, 0};
  }
}

IoResult transportWrite(int fd, TlsSession* tls, const iovec* pieces, int count) {
  if (tls != nullptr) return tlsWrite(*tls, pieces, count);
  for (;;) {
    ssize_t sent;
    if (count == 1) {
      sent = send(fd, pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL);
    } else {
      msghdr message{};
      message.msg_iov = const_cast<iovec*>(pieces);
      message.msg_iovlen = size_t(count);
      sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    }
    if (sent >= 0) return {Io::Ok, size_t(sent)};
    if (errno == EINTR) continue;
    return {errno == EAGAIN ? Io::Blocked : Io::Failed, 0};
  }
}
