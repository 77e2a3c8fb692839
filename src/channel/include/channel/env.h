// channel/env.h: env values beside an order, on their way to a server. They are in no entry, row, result or error.
// A digest of them, under a salt of their own, is part of the bytes that the order key signs: on their way nobody
// changes, adds or leaves out one. In both processes they are wiped when they were used.
#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/secret.h"

namespace caip::wire { class Env; class Order; }

namespace caip::channel {

inline constexpr std::size_t kMostEnvBytes = 256 * 1024;  // names and values of one order

struct EnvValue {
  std::string name;
  SecretBytes value;
};

// An environment variable's name: 1 to 64 of [A-Za-z0-9_], none of 0-9 first.
bool is_env_name(std::string_view) noexcept;
// Variables by which a program is made to run other code than its own (LD_PRELOAD, BASH_ENV, …): they are not placed.
bool runs_code(std::string_view) noexcept;

// 1 to kMostPlaced variables, no name twice, sorted by name. Each value is UTF-8 without control characters but tab and
// line end: what a file of systemd's can say and give back as it was.
class EnvValues {
 public:
  static Result<EnvValues> of(std::vector<EnvValue>);  // with a new salt
  static Result<EnvValues> from_wire(const wire::Env&);
  void to_wire(wire::Env&) const;
  const std::vector<EnvValue>& all() const { return values_; }
  Digest digest() const;

 private:
  EnvValues(std::vector<EnvValue> values, Bytes salt) : values_(std::move(values)), salt_(std::move(salt)) {}
  static Result<EnvValues> checked(std::vector<EnvValue>, Bytes salt);
  std::vector<EnvValue> values_;
  Bytes salt_;
};

// Of a message that is no longer needed: its values are overwritten.
void wipe_env(wire::Order&) noexcept;

}  // namespace caip::channel
