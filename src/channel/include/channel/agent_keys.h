// channel/agent_keys.h: how a server's certificate is renewed and its key replaced. The control plane asks, because servers' clocks
// may be days off; the server's root half makes the key, keeps it, and asks for the certificate. That a new key is on its disk it says
// with its witness key, which the network half never sees: a key that only that half speaks for does not take the old one's place.
#pragma once
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "model/ids.h"

namespace caip::wire { class KeyAsk; class KeyIssued; class KeyOffer; class KeyProof; }

namespace caip::channel {

inline constexpr std::uint32_t kRenewsKeys = 1, kProvesKeys = 2;  // in an agent's hello: what of these messages it knows
inline constexpr Duration kCertificateLife = std::chrono::hours(24);
inline constexpr Duration kKeyLife = std::chrono::hours(30 * 24);
inline constexpr Duration kMostLapsed = std::chrono::hours(45 * 24);  // since its server was seen: then it takes a new install command
inline constexpr std::size_t kNonce = 16;

struct KeyAsk {
  bool rotate = false;  // for a new key
  Bytes nonce;          // of this question
};
struct KeyOffer {
  std::string request;  // PKCS #10, PEM
  Bytes voucher;        // Ed25519 by the witness key, of voucher_text(); with a new key
  Bytes nonce;          // of the question that this answers
};
struct KeyIssued {
  std::string certificate;
  bool reconnect = false;  // it is for the next connection, which is due now
  std::string authorities = {};  // the one that issued it, then links from those before it (crypto/certificates.h)
};

// A challenge, signed by the server's own key, over a handshake that was made for it.
struct KeyProof {
  Bytes nonce;
  Bytes key;  // SubjectPublicKeyInfo
  Bytes signature;
};
std::string proof_text(const ServerId&, const Bytes& nonce);

// What a root half signs: that the new key lies on its disk, for exactly this question.
struct Vouched {
  ServerId server;
  std::string enrolment;  // the certificate of the enrolment, as in Order
  Digest held{}, next{};  // SHA-256 of the public keys
  Bytes nonce;
};
std::string voucher_text(const Vouched&);

void to_wire(const KeyAsk&, wire::KeyAsk&);
Result<KeyAsk> from_wire(const wire::KeyAsk&);
void to_wire(const KeyOffer&, wire::KeyOffer&);
Result<KeyOffer> from_wire(const wire::KeyOffer&);
void to_wire(const KeyIssued&, wire::KeyIssued&);
void to_wire(const KeyProof&, wire::KeyProof&);
Result<KeyProof> from_wire(const wire::KeyProof&);
Result<KeyIssued> from_wire(const wire::KeyIssued&);

}  // namespace caip::channel
