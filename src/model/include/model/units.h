// model/units.h: which systemd units may be told to do something, and what that means for the
// machine. Reading is for every unit; what a UnitVerb names is for a ControlUnit.
// The lists stand in units.cpp, each line with its reason, and the helper goes by the same ones.
#pragma once
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "model/names.h"

namespace caip {

// reload: its configuration, without an end to what it does. enable, disable: whether it starts with the machine; now, nothing changes.
enum class UnitVerb : std::uint8_t { start, stop, restart, reload, enable, disable };

// A unit that an order may do this to: a .service, .socket, .timer or .path (a target,
// slice or mount stands for many others), and none that carries the platform or the machine or
// opens a shell. Code::invalid with a text that says which and why.
class ControlUnit {
 public:
  // People and the platform reach the machine through some units (sshd, network, firewall): which verbs may shut them out.
  enum class CutBy : std::uint8_t { nothing, stopping, any_verb };  // stopping: all but start and enable

  static Result<ControlUnit> parse(std::string_view text);
  static Result<ControlUnit> of(const UnitName&);
  const UnitName& name() const { return name_; }
  const std::string& str() const { return name_.str(); }
  CutBy cut_by() const { return cut_by_; }  // looked up when it was parsed: each decision asks for it, several times
  auto operator<=>(const ControlUnit&) const = default;

 private:
  ControlUnit(UnitName name, CutBy cut_by) : name_(std::move(name)), cut_by_(cut_by) {}
  UnitName name_;
  CutBy cut_by_;
};

// Doing this may shut people and the platform out of the machine. Impact `destructive`, and for Admin and Owner alone.
constexpr bool cuts_access(UnitVerb verb, const ControlUnit& unit) noexcept {
  using CutBy = ControlUnit::CutBy;
  return unit.cut_by() == CutBy::any_verb || (unit.cut_by() == CutBy::stopping && verb != UnitVerb::start && verb != UnitVerb::enable);
}

}  // namespace caip
