// The databases of places, from the configuration file: [places].
#pragma once
#include <filesystem>

#include "caipd_toml.h"
#include "places/places.h"

namespace caip::main {

struct PlaceFiles {
  std::string country, network;
};

inline Result<PlaceFiles> read_places(const toml::table& table) {
  TomlReader r(table, "places.");
  PlaceFiles files;
  r.text("country_database", files.country);
  r.text("network_database", files.network);
  CAIP_CHECKED(r.finish());
  return files;
}

// What the configuration names has to be there; the one that is shipped may be missing.
inline Result<places::Places> open_places(const PlaceFiles& files, const std::filesystem::path& own_folder) {
  PlaceFiles found = files;
  for (const auto& shipped : {own_folder / "../../../packaging/places/country.mmdb", std::filesystem::path("/usr/share/caip/country.mmdb")}) {
    std::error_code ec;
    if (found.country.empty() && std::filesystem::exists(shipped, ec)) found.country = shipped.string();
  }
  return places::Places::open(found.country, found.network);
}

}  // namespace caip::main
