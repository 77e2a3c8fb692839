#include "secret_member.h"

namespace caip::web {

Result<std::optional<SecretBytes>> take_secret(json::object& body, std::string_view name, std::size_t max_bytes) {
  auto* value = body.if_contains(name);
  if (value == nullptr) return std::optional<SecretBytes>();
  auto* text = value->if_string();
  if (text == nullptr) return fail(Code::malformed, std::string(name) + " must be text");
  if (text->size() > max_bytes) return fail(Code::too_large, std::string(name) + " has at most " + std::to_string(max_bytes) + " bytes");
  std::optional<SecretBytes> out(std::in_place, std::string_view(*text));
  wipe_texts(*value);
  body.erase(name);
  return out;
}

Result<SecretBytes> take_password(json::object& body) {
  CAIP_TRY(password, take_secret(body, "password", 1024));
  if (!password) return fail(Code::malformed, "password is missing");
  return *std::move(password);
}

void wipe_texts(json::value& value) noexcept {
  if (auto* text = value.if_string()) wipe(std::span<char>(text->data(), text->size()));
  else if (auto* object = value.if_object()) wipe_texts(*object);
  else if (auto* array = value.if_array())
    for (auto& item : *array) wipe_texts(item);
}

void wipe_texts(json::object& object) noexcept {
  for (auto& member : object) wipe_texts(member.value());
}

}  // namespace caip::web
