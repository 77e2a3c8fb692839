#include "password_rules.h"

#include <zxcvbn.h>

#include <algorithm>

#include "base/text.h"
#include "common_passwords.h"

namespace caip::auth {
namespace {

constexpr double kLeastBits = 33;  // 10^10 guesses: score 4 of zxcvbn

class Text {  // a copy that C can read, wiped
 public:
  explicit Text(const SecretBytes& password) {
    password.expose(Use::hash_password, [&](BytesView b) { text_.assign(b.begin(), b.end()); });
  }
  Text(const Text&) = delete;
  Text& operator=(const Text&) = delete;
  ~Text() { wipe(std::span(text_)); }
  std::string& str() { return text_; }

 private:
  std::string text_;
};

std::size_t characters(std::string_view utf8) {
  return static_cast<std::size_t>(std::ranges::count_if(utf8, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

void lower(std::string& text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
}

// "mara@example.org" is tried as a whole and in its parts.
std::vector<std::string> parts_of(const std::vector<std::string>& words) {
  std::vector<std::string> parts{"cloudaipilot", "caip"};
  for (std::string word : words) {
    lower(word);
    for (std::size_t at = 0; at < word.size();) {
      const auto end = std::min(word.find_first_of("@. -_", at), word.size());
      if (end - at > 2) parts.push_back(word.substr(at, end - at));
      at = end + 1;
    }
    parts.push_back(std::move(word));
  }
  return parts;
}

double bits(const std::string& password, const std::vector<std::string>& words) {
  std::vector<const char*> known;
  for (const auto& w : words) known.push_back(w.c_str());
  known.push_back(nullptr);
  return ZxcvbnMatch(password.c_str(), known.data(), nullptr);
}

}  // namespace

Result<void> acceptable(const SecretBytes& password, const PasswordFor& person) {
  if (password.size() > kMostCharacters * 4) return fail(Code::invalid, "a password has at most 128 characters");
  Text text(password);
  const std::size_t length = characters(text.str()), least = person.second_factor ? kLeastWithFactor : kLeastAlone;
  if (length < least) return fail(Code::invalid, "a password needs at least " + std::to_string(least) + " characters; four or five words do well");
  if (length > kMostCharacters) return fail(Code::invalid, "a password has at most 128 characters");
  if (!valid_utf8(text.str()) || text.str().contains('\0')) return fail(Code::invalid, "a password is text");
  lower(text.str());
  const bool common = std::ranges::binary_search(kCommonPasswords, std::string_view(text.str()));
  if (common || bits(text.str(), parts_of(person.words)) < kLeastBits)
    return fail(Code::invalid, "this password is easy to guess; take words that have nothing to do with each other or with you");
  return {};
}

}  // namespace caip::auth
