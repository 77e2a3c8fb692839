// A keyring file that somebody wrote: it opens, or it is refused; nothing in it costs more than a key file's seal does.
#include "keyring.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace caip;
  const std::string_view text = text_of(BytesView(data, size));
  if (const auto seals = secrets::seals_of(text))
    for (const auto& s : *seals) {
      const std::string written = canonical(secrets::seal_json(s));
      const auto again = secrets::parse_seal(parse_json(written).value());
      CAIP_ASSERT(again && canonical(secrets::seal_json(*again)) == written);
    }
  secrets::Material material;
  material.key_file = SecretBytes(Bytes(32, 'k'));
  CAIP_ASSERT(!secrets::open_keyring(text, material));  // nobody's input has a tag under a key that it does not know
  return 0;
}
