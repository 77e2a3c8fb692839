#include "http/message.h"

namespace caip::http {

std::string_view Request::header(std::string_view name) const noexcept {
  for (const auto& [key, value] : headers)
    if (key == name) return value;
  return {};
}

}  // namespace caip::http
