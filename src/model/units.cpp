#include "model/units.h"

#include <algorithm>
#include <array>

namespace caip {
namespace {

// Compared with a unit's name without its type and instance: "getty" of getty@tty1.service. A '*'
// at an end stands for anything. Upper case is another unit to systemd, so to us.
struct Pattern {
  std::string_view text;
  bool matches(std::string_view s) const {
    if (text.ends_with('*')) return s.starts_with(text.substr(0, text.size() - 1));
    if (text.starts_with('*')) return s.ends_with(text.substr(1));
    return s == text;
  }
};

constexpr std::array<std::string_view, 4> kTypes{".service", ".socket", ".timer", ".path"};

// What nobody controls through us.
constexpr std::array kKept{
    Pattern{"caip*"},          // the platform itself
    Pattern{"dbus*"},          // what the helper speaks to systemd through; also dbus-org.… aliases
    Pattern{"polkit*"},        // who may do what
    Pattern{"systemd-*"},      // the machine: journal, logins, devices, poweroff, reboot, suspend, …
    Pattern{"init"}, Pattern{"initrd-*"}, Pattern{"udev"},
    Pattern{"poweroff*"}, Pattern{"reboot*"}, Pattern{"halt*"}, Pattern{"shutdown*"}, Pattern{"kexec*"}, Pattern{"ctrl-alt-del*"},
    Pattern{"suspend*"}, Pattern{"hibernate*"},
    Pattern{"debug-shell"}, Pattern{"emergency*"}, Pattern{"rescue*"}, Pattern{"sulogin*"},  // a shell without a login
    Pattern{"*getty"}, Pattern{"getty-*"}, Pattern{"autovt"},                                 // terminals
    Pattern{"user"}, Pattern{"user-runtime-dir"},                                             // all that a person runs
};
constexpr std::string_view kKeptText =
    "not through this product: units of the platform (caip*) or of the machine itself (systemd-*, dbus*, polkit*, udev, init, "
    "poweroff*, reboot*, halt*, shutdown*, kexec*, suspend*, hibernate*, user@) and shells (debug-shell, emergency*, rescue*, *getty)";

using CutBy = ControlUnit::CutBy;
constexpr auto any_verb = CutBy::any_verb;  // it decides who gets in: starting it can shut people out as well

struct Access {
  Pattern pattern;
  CutBy cut_by = CutBy::stopping;
};
constexpr std::array kAccess{
    Access{{"ssh"}}, Access{{"sshd"}}, Access{{"dropbear"}},
    Access{{"networking"}}, Access{{"ifup"}}, Access{{"NetworkManager*"}}, Access{{"systemd-networkd*"}}, Access{{"systemd-resolved*"}},
    Access{{"netplan*"}}, Access{{"connman"}}, Access{{"dhcpcd"}}, Access{{"wpa_supplicant"}},
    Access{{"wg-quick"}}, Access{{"openvpn*"}}, Access{{"tailscaled"}}, Access{{"strongswan*"}}, Access{{"ipsec"}},
    Access{{"nftables"}, any_verb}, Access{{"firewalld"}, any_verb}, Access{{"ufw"}, any_verb}, Access{{"iptables"}, any_verb}, Access{{"ip6tables"}, any_verb},
    Access{{"netfilter-persistent"}, any_verb}, Access{{"shorewall*"}, any_verb},
};

std::string_view stem(std::string_view name) {
  name = name.substr(0, name.rfind('.'));
  return name.substr(0, name.find('@'));
}

CutBy what_cuts(std::string_view stem) {
  const auto* found = std::ranges::find_if(kAccess, [&](const Access& a) { return a.pattern.matches(stem); });
  return found == kAccess.end() ? CutBy::nothing : found->cut_by;
}

}  // namespace

Result<ControlUnit> ControlUnit::of(const UnitName& name) {
  const std::string& text = name.str();
  if (std::ranges::none_of(kTypes, [&](std::string_view t) { return text.ends_with(t); }))
    return fail(Code::invalid, text + ": only a .service, .socket, .timer or .path is controlled through this product");
  const CutBy cuts = what_cuts(stem(text));
  const bool kept = std::ranges::any_of(kKept, [&](const Pattern& p) { return p.matches(stem(text)); });
  if (kept && cuts == CutBy::nothing) return fail(Code::invalid, text + ": " + std::string(kKeptText));
  return ControlUnit(name, cuts);
}

Result<ControlUnit> ControlUnit::parse(std::string_view text) {
  CAIP_TRY(name, UnitName::parse(text));
  return of(name);
}

}  // namespace caip
