#include "channel/agent_keys.h"

#include "wire.pb.h"

namespace caip::channel {
namespace {

constexpr std::size_t kMostRequest = 16 * 1024, kMostCertificate = 64 * 1024, kMostAuthorities = 128 * 1024, kSignature = 64, kMostKey = 4096, kMostSignature = 8192;

Bytes bytes_of(const std::string& text) { return Bytes(text.begin(), text.end()); }
std::string text_from(const Bytes& bytes) { return std::string(bytes.begin(), bytes.end()); }

}  // namespace

std::string voucher_text(const Vouched& v) {
  return "caip server key v1\n" + v.server.str() + "\n" + v.enrolment + "\n" + hex(v.held) + "\n" + hex(v.next) + "\n" + hex(v.nonce) + "\n";
}

void to_wire(const KeyAsk& ask, wire::KeyAsk& out) {
  out.set_rotate(ask.rotate);
  out.set_nonce(text_from(ask.nonce));
}

Result<KeyAsk> from_wire(const wire::KeyAsk& in) {
  if (in.nonce().size() != kNonce) return fail(Code::malformed, "a question about a key without its number");
  return KeyAsk{in.rotate(), bytes_of(in.nonce())};
}

void to_wire(const KeyOffer& offer, wire::KeyOffer& out) {
  out.set_request(offer.request);
  out.set_voucher(text_from(offer.voucher));
  out.set_nonce(text_from(offer.nonce));
}

Result<KeyOffer> from_wire(const wire::KeyOffer& in) {
  if (in.request().empty() || in.request().size() > kMostRequest) return fail(Code::malformed, "not a certificate request");
  if (!in.voucher().empty() && in.voucher().size() != kSignature) return fail(Code::malformed, "not a signature");
  if (in.nonce().size() != kNonce) return fail(Code::malformed, "an answer without the number of its question");
  return KeyOffer{in.request(), bytes_of(in.voucher()), bytes_of(in.nonce())};
}

void to_wire(const KeyIssued& issued, wire::KeyIssued& out) {
  out.set_certificate(issued.certificate);
  out.set_reconnect(issued.reconnect);
  out.set_authorities(issued.authorities);
}

Result<KeyIssued> from_wire(const wire::KeyIssued& in) {
  if (in.certificate().empty() || in.certificate().size() > kMostCertificate) return fail(Code::malformed, "not a certificate");
  if (in.authorities().size() > kMostAuthorities) return fail(Code::malformed, "too many authorities");
  return KeyIssued{in.certificate(), in.reconnect(), in.authorities()};
}

std::string proof_text(const ServerId& server, const Bytes& nonce) { return "caip channel check v1\n" + server.str() + "\n" + hex(nonce) + "\n"; }

void to_wire(const KeyProof& proof, wire::KeyProof& out) {
  out.set_nonce(text_from(proof.nonce));
  out.set_key(text_from(proof.key));
  out.set_signature(text_from(proof.signature));
}

Result<KeyProof> from_wire(const wire::KeyProof& in) {
  if (in.nonce().size() != kNonce || in.key().size() > kMostKey || in.signature().size() > kMostSignature) return fail(Code::malformed, "not a signed challenge");
  return KeyProof{bytes_of(in.nonce()), bytes_of(in.key()), bytes_of(in.signature())};
}

}  // namespace caip::channel
