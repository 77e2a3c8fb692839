// Env values as a helper gets them: what is accepted is written so that it reads back as it came, and as nothing more.
#include <cstdint>
#include <cstdlib>

#include "../../test/support/env_reader.h"
#include "agent/env_files.h"
#include "wire.pb.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace caip;
  wire::Env message;
  if (size > 1024 * 1024 || !message.ParseFromArray(data, static_cast<int>(size))) return 0;
  const auto values = channel::EnvValues::from_wire(message);
  if (!values) return 0;
  agent::env_file(*values).expose(Use::named_use, [&](BytesView file) {
    const auto read = test::read_env_file(text_of(file));
    if (!read || read->size() != values->all().size()) std::abort();
    for (const auto& v : values->all()) v.value.expose(Use::named_use, [&](BytesView b) {
      const auto found = read->find(v.name);
      if (found == read->end() || found->second != text_of(b)) std::abort();
    });
  });
  return 0;
}
