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

// What nobody starts, stops or restarts through us.
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

struct Access {
  Pattern pattern;
  bool start_too = false;  // it decides who gets in: starting it can shut people out as well
};
constexpr std::array kAccess{
    Access{{"ssh"}}, Access{{"sshd"}}, Access{{"dropbear"}},
    Access{{"networking"}}, Access{{"ifup"}}, Access{{"NetworkManager*"}}, Access{{"systemd-networkd*"}}, Access{{"systemd-resolved*"}},
    Access{{"netplan*"}}, Access{{"connman"}}, Access{{"dhcpcd"}}, Access{{"wpa_supplicant"}},
    Access{{"wg-quick"}}, Access{{"openvpn*"}}, Access{{"tailscaled"}}, Access{{"strongswan*"}}, Access{{"ipsec"}},
    Access{{"nftables"}, true}, Access{{"firewalld"}, true}, Access{{"ufw"}, true}, Access{{"iptables"}, true}, Access{{"ip6tables"}, true},
    Access{{"netfilter-persistent"}, true}, Access{{"shorewall*"}, true},
};

std::string_view stem(std::string_view name) {
  name = name.substr(0, name.rfind('.'));
  return name.substr(0, name.find('@'));
}

const Access* access_of(std::string_view name) {
  const auto* found = std::ranges::find_if(kAccess, [&](const Access& a) { return a.pattern.matches(stem(name)); });
  return found == kAccess.end() ? nullptr : found;
}

}  // namespace

Result<ControlUnit> ControlUnit::of(const UnitName& name) {
  const std::string& text = name.str();
  if (std::ranges::none_of(kTypes, [&](std::string_view t) { return text.ends_with(t); }))
    return fail(Code::invalid, text + ": only a .service, .socket, .timer or .path is started, stopped or restarted");
  const bool kept = std::ranges::any_of(kKept, [&](const Pattern& p) { return p.matches(stem(text)); });
  if (kept && !access_of(text)) return fail(Code::invalid, text + ": " + std::string(kKeptText));
  return ControlUnit(name);
}

Result<ControlUnit> ControlUnit::parse(std::string_view text) {
  CAIP_TRY(name, UnitName::parse(text));
  return of(name);
}

bool cuts_access(UnitVerb verb, const ControlUnit& unit) noexcept {
  const Access* access = access_of(unit.str());
  return access && (verb != UnitVerb::start || access->start_too);
}

}  // namespace caip
