// A bundle, a checkpoint that was kept, an entry, a key: whatever the bytes, an answer; and what
// nobody signed never holds.
#include <cstdlib>

#include "chain.h"
#include "entry.h"
#include "note.h"
#include "verifier/verifier.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace caip::verifier;
  const std::string text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(verify_bundle(text));
  static_cast<void>(verify_bundle(text, text));
  if (const auto e = scan_entry(text)) {
    if (e->at.size() != 27 || e->action.empty()) std::abort();
    static_cast<void>(text_member(e->detail, "witness"));
  }
  static_cast<void>(text_member(text, "a"));
  static_cast<void>(Flat::read(text));
  static_cast<void>(read_vkey(text));
  if (const auto h = read_handover(text)) {
    Chain chain({std::string(kOrigin), h->kind == "cosign" ? KeyType::mldsa44_cosigner : KeyType::ed25519, h->old_key});
    if (chain.follow(*h) && !chain.has(caip::text_of(h->new_key))) std::abort();
  }
  if (const auto c = read_checkpoint(text)) {
    const Key nobody{std::string(kOrigin), KeyType::ed25519, caip::Bytes(32, 0)};
    static_cast<void>(check(*c, nobody));
  }
  return 0;
}
