// A secret on its way in: taken out of the request's JSON straight into SecretBytes; what JSON
// keeps of it is wiped. (What the parser and the TLS library copied on the way is not ours to
// reach; http wipes the request's body.)
#pragma once
#include <optional>

#include "base/json.h"
#include "crypto/secret.h"

namespace caip::web {

Result<std::optional<SecretBytes>> take_secret(json::object& body, std::string_view name, std::size_t max_bytes);
Result<SecretBytes> take_password(json::object& body);  // "password"; refused without one

// Every text in a request's body, when the request is over.
void wipe_texts(json::value&) noexcept;
void wipe_texts(json::object&) noexcept;

}  // namespace caip::web
