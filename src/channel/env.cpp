#include "channel/env.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "model/actions.h"
#include "wire.pb.h"

namespace caip::channel {
namespace {

constexpr std::size_t kSalt = 32;
constexpr std::string_view kDomain = "cloudaipilot.local/env/v1\n";

bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

// U+FDD0..FDEF and the last two of each plane: systemd takes them for no text and refuses the whole file. Of UTF-8.
bool has_noncharacter(std::string_view text) {
  for (std::size_t i = 0; i + 2 < text.size(); ++i) {
    const auto byte = [&](std::size_t n) { return i + n < text.size() ? static_cast<std::uint8_t>(text[i + n]) : std::uint8_t{0}; };
    const auto ends_plane = [&](std::size_t n) { return byte(n) == 0xbf && byte(n + 1) >= 0xbe; };
    if (byte(0) == 0xef && ((byte(1) == 0xb7 && byte(2) >= 0x90 && byte(2) <= 0xaf) || ends_plane(1))) return true;
    if (byte(0) >= 0xf0 && (byte(1) & 0x0fU) == 0x0f && ends_plane(2)) return true;
  }
  return false;
}

bool usable(const SecretBytes& value) {
  bool good = false;
  value.expose(Use::named_use, [&](BytesView b) {
    const std::string_view text = text_of(b);
    good = valid_utf8(text) && !has_noncharacter(text) && std::ranges::none_of(text, [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7f; });
  });
  return good;
}

void append(Bytes& out, std::size_t size) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(size >> shift));
}

}  // namespace

// The loader's, the shells' and the interpreters'.
bool runs_code(std::string_view name) noexcept {
  static constexpr std::array<std::string_view, 19> kNames{"BASH_ENV", "BASHOPTS", "ENV", "GCONV_PATH", "GIT_SSH_COMMAND", "IFS", "NODE_OPTIONS", "NODE_PATH", "PATH", "PERL5LIB", "PERL5OPT",
                                     "PROMPT_COMMAND", "PS4", "PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "RUBYLIB", "RUBYOPT", "SHELLOPTS"};
  return name.starts_with("LD_") || std::ranges::contains(kNames, name);
}

bool is_env_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= 64 && letter(name.front()) &&
         std::ranges::all_of(name, [](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

Result<EnvValues> EnvValues::of(std::vector<EnvValue> values) { return checked(std::move(values), crypto::random_bytes(kSalt)); }

Result<EnvValues> EnvValues::checked(std::vector<EnvValue> values, Bytes salt) {
  if (values.empty() || values.size() > kMostPlaced) return fail(Code::invalid, "1 to 64 env values are placed at once");
  if (salt.size() != kSalt) return fail(Code::malformed, "a salt has 32 bytes");
  std::ranges::sort(values, {}, &EnvValue::name);
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!is_env_name(values[i].name)) return fail(Code::invalid, shown(values[i].name) + " is no name of an environment variable");
    if (runs_code(values[i].name)) return fail(Code::invalid, values[i].name + " makes programs run other code; it is not placed");
    if (i > 0 && values[i].name == values[i - 1].name) return fail(Code::invalid, "two values for " + values[i].name);
    if (!usable(values[i].value)) return fail(Code::invalid, "the value of " + values[i].name + " has control characters, characters that Unicode sets aside, or is no UTF-8: no environment file can hold it");
    bytes += values[i].name.size() + values[i].value.size();
  }
  if (bytes > kMostEnvBytes) return fail(Code::too_large, "more than 256 KiB of env values at once");
  return EnvValues(std::move(values), std::move(salt));
}

// Lengths before what they are of: no two lists have the same bytes.
Digest EnvValues::digest() const {
  Bytes said(kDomain.begin(), kDomain.end());
  said.insert(said.end(), salt_.begin(), salt_.end());
  for (const auto& v : values_) {
    append(said, v.name.size());
    said.insert(said.end(), v.name.begin(), v.name.end());
    v.value.expose(Use::named_use, [&](BytesView b) {
      const Digest d = crypto::sha256({view(kDomain), salt_, b});
      said.insert(said.end(), d.begin(), d.end());
    });
  }
  return crypto::sha256(said);
}

void EnvValues::to_wire(wire::Env& out) const {
  out.set_salt(std::string(text_of(salt_)));
  for (const auto& v : values_) {
    wire::EnvValue& one = *out.add_values();
    one.set_name(v.name);
    v.value.expose(Use::named_use, [&](BytesView b) { one.set_value(b.data(), b.size()); });
  }
}

Result<EnvValues> EnvValues::from_wire(const wire::Env& in) {
  if (in.values_size() > static_cast<int>(kMostPlaced)) return fail(Code::malformed, "too many env values");
  std::vector<EnvValue> values;
  values.reserve(static_cast<std::size_t>(in.values_size()));
  for (const auto& v : in.values()) values.push_back({v.name(), SecretBytes(std::string_view(v.value()))});
  return checked(std::move(values), Bytes(in.salt().begin(), in.salt().end()));
}

void wipe_env(wire::Order& order) noexcept {
  if (!order.has_env()) return;
  for (auto& v : *order.mutable_env()->mutable_values()) wipe(std::span<char>(*v.mutable_value()));
  order.clear_env();
}

}  // namespace caip::channel
