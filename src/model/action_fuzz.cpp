// decode() takes exactly the bytes that encode() writes; names parse back to themselves.
#include <cstdint>

#include "base/result.h"
#include "model/actions.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  if (const auto action = caip::decode(text)) CAIP_ASSERT(caip::encode(*action) == text);
  if (const auto unit = caip::UnitName::parse(text)) CAIP_ASSERT(unit->str() == text);
  if (const auto email = caip::Email::parse(text)) CAIP_ASSERT(caip::Email::parse(email->str()).value() == *email);
  if (const auto domain = caip::DomainName::parse(text)) CAIP_ASSERT(caip::DomainName::parse(domain->str()).value() == *domain);
  return 0;
}
