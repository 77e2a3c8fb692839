// secrets/keeper.h: the only holder of private keys. Callers ask for an operation, never for a
// key. All methods are thread-safe and may block for a round trip to caip-keeper.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "model/ids.h"

namespace caip::secrets {

// One key each: Ed25519, but for cosign, which is the log's second signature on its checkpoints,
// ML-DSA-44.
enum class SigningUse : std::uint8_t { jwt, checkpoint, order, cosign };

struct TlsIdentity {
  std::string cert_chain_pem;  // leaf, then the authority
  std::string key_pem;         // for this process's TLS context; goes nowhere else
};

class Keeper {
 public:
  virtual ~Keeper() = default;
  virtual Result<Bytes> sign(SigningUse, BytesView message) = 0;     // 64 bytes; cosign: 2,420
  virtual Bytes public_key(SigningUse) = 0;                          // 32 bytes; cosign: 1,312
  virtual Result<Bytes> pepper_hmac(BytesView password) = 0;         // HMAC-SHA-384, 48 bytes
  virtual Result<std::string> issue_agent_certificate(const std::string& csr_pem, const ServerId&) = 0;
  virtual Result<TlsIdentity> issue_server_certificate(const std::vector<std::string>& names) = 0;
  virtual std::string ca_certificate_pem() = 0;
};

// Keys in this process: for tests and for caip-keeper itself. Makes what is missing in `folder`
// (0700, files 0600); refuses a folder or file that others may read.
Result<std::unique_ptr<Keeper>> open_local_keeper(const std::string& folder, const Clock&);

// Starts `program` (caip-keeper) as a child with a socketpair and waits until it is ready. The
// child ends when the parent does.
Result<std::unique_ptr<Keeper>> start_keeper(const std::string& program, const std::string& folder);

// The child's side: answers requests on `fd` until the other end closes. It finds its end of the
// socketpair at kKeeperFd; refuse_to_start tells the parent why there will be no keeper.
inline constexpr int kKeeperFd = 3;
void serve_keeper(int fd, Keeper&);
void refuse_to_start(int fd, const Error&);

}  // namespace caip::secrets
