// Files of keys: made whole or not at all, readable by their owner alone. Private to the room.
#pragma once
#include <string>

#include "base/result.h"
#include "crypto/secret.h"

namespace caip::secrets {

Result<void> open_folder(const std::string& folder);  // makes it 0700; refuses one that others may enter
Result<bool> present(const std::string& path);
Result<SecretBytes> read_secret(const std::string& path);  // refuses a file that others may read
Result<void> write_secret(const std::string& path, const SecretBytes&);  // never replaces
Result<std::string> read_public(const std::string& path);

}  // namespace caip::secrets
