// agent/identity.h: what this server proves itself with: its key and its certificate. The first pair is the enrolment's, in /etc/caip;
// what takes its place lies in one file of the root half, whole or as before at any moment, so that a crash between any two steps
// leaves one pair that is let in:
//
//   a new key is made                  written beside the pair that is used: both are there
//   the control plane registers it     either is let in
//   its certificate is here            written over the pair: the old one is gone, and not needed
//
// The authority that issued it lies in the same file. The network half could name another one; so one is taken only from who was
// trusted before, over links (crypto/certificates.h), and the one before is not trusted any more.
//
// Used by the root half alone, which alone can say which key lies on this disk; and read once before the other half drops its privileges.
#pragma once
#include <optional>
#include <string>

#include "agent/config.h"
#include "channel/agent_keys.h"

namespace caip::agent {

inline constexpr const char* kIdentityFile = "/identity";  // below the helper's state

struct Pair {
  std::string certificate_pem;
  SecretBytes key_pem;
};

class Identity final {
 public:
  // `config`: kConfigDir. `state`: the helper's. A file of an earlier enrolment is passed over.
  static Result<Identity> open(const std::string& config, const std::string& state);

  const Pair& pair() const { return pair_; }
  Pair leave() && { return std::move(pair_); }
  // For the key there is or, where `fresh`, for a new one, which is on the disk before this returns and stays the same until it was issued for.
  struct Request {
    std::string csr_pem;
    Digest held{}, next{};  // the same when it is not fresh
  };
  Result<Request> request(bool fresh);
  Result<channel::KeyProof> prove(const Bytes& nonce) const;
  // Whom this server trusts on the channel: the authority of the enrolment, until a later one is named.
  const std::string& authority() const { return authority_pem_; }
  // A certificate for this server and one of its keys, of the authority that is trusted or of one that links lead to from it
  // (else forbidden): on the disk, and the authority with it, before this returns.
  Result<void> take(const channel::KeyIssued&);

 private:
  Identity() = default;
  Result<void> read_kept();
  Result<void> write(const Pair&, const SecretBytes& next, const std::string& authority_pem) const;
  std::string file_, enrolment_, uri_, authority_pem_;
  std::optional<ServerId> server_;
  Pair pair_;
  SecretBytes next_;  // a key that has no certificate yet
};

}  // namespace caip::agent
