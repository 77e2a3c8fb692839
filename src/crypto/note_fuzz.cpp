// What parses as a note is written back as it was; a checkpoint too, up to its extension lines.
#include <cstddef>
#include <cstdint>

#include "crypto/note.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace caip;
  const auto text = text_of({data, size});
  if (const auto note = crypto::parse_note(text)) {
    CAIP_ASSERT(crypto::parse_note(crypto::format_note(*note)).has_value());
    if (const auto c = crypto::parse_checkpoint_text(note->text))
      CAIP_ASSERT(note->text.starts_with(crypto::checkpoint_text(*c)));
    static_cast<void>(crypto::open_checkpoint(text, Bytes(32, 1)));
  }
  return 0;
}
