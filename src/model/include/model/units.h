// model/units.h: which systemd units may be told to do something, and what that means for the
// machine. Reading is for every unit; starting, stopping and restarting is for a ControlUnit.
// The lists stand in units.cpp, each line with its reason, and the helper goes by the same ones.
#pragma once
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "model/names.h"

namespace caip {

enum class UnitVerb : std::uint8_t { start, stop, restart };

// A unit that an order may start, stop or restart: a .service, .socket, .timer or .path (a target,
// slice or mount stands for many others), and none that carries the platform or the machine or
// opens a shell. Code::invalid with a text that says which and why.
class ControlUnit {
 public:
  static Result<ControlUnit> parse(std::string_view text);
  static Result<ControlUnit> of(const UnitName&);
  const UnitName& name() const { return name_; }
  const std::string& str() const { return name_.str(); }
  auto operator<=>(const ControlUnit&) const = default;

 private:
  explicit ControlUnit(UnitName name) : name_(std::move(name)) {}
  UnitName name_;
};

// People and the platform reach the machine through it (sshd, network, firewall): doing this may
// shut them out. Impact `destructive`, and for Admin and Owner alone.
bool cuts_access(UnitVerb, const ControlUnit&) noexcept;

}  // namespace caip
