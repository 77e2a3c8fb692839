#include "device.h"

#include <array>

namespace caip::auth {
namespace {

struct Sign {
  std::string_view token, name;
};

// The first that is there counts: Edge and Opera also say "Chrome", and all of them say "Safari".
constexpr std::array kPrograms{Sign{"Edg", "Edge"}, Sign{"OPR/", "Opera"}, Sign{"Firefox/", "Firefox"}, Sign{"FxiOS/", "Firefox"},
                               Sign{"CriOS/", "Chrome"}, Sign{"Chrome/", "Chrome"}, Sign{"Chromium/", "Chrome"}, Sign{"Safari/", "Safari"},
                               Sign{"caip", "caip"}, Sign{"curl/", "curl"}, Sign{"python", "Python"}};
constexpr std::array kSystems{Sign{"Android", "Android"}, Sign{"iPhone", "iOS"}, Sign{"iPad", "iOS"}, Sign{"CrOS", "ChromeOS"},
                              Sign{"Windows", "Windows"}, Sign{"Mac OS X", "macOS"}, Sign{"Linux", "Linux"}};
constexpr std::size_t kMost = 512;  // what comes later in the header is not looked at

template <std::size_t N>
std::string_view first_of(const std::array<Sign, N>& signs, std::string_view text, std::string_view otherwise) {
  for (const Sign& s : signs)
    if (text.contains(s.token)) return s.name;
  return otherwise;
}

}  // namespace

std::string device_of(std::string_view user_agent) {
  const auto text = user_agent.substr(0, kMost);
  std::string out(first_of(kPrograms, text, "Unknown program"));
  if (const auto system = first_of(kSystems, text, ""); !system.empty()) out.append(" on ").append(system);
  return out;
}

}  // namespace caip::auth
