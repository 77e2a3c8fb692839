// places/places.h: the country and the network of an address, from offline databases in MaxMind's format. Works
// without: the network is then the address's /16 (IPv4) or /32 (IPv6), and no country is known. Thread-safe.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace caip::places {

struct Place {
  std::string country;  // ISO 3166-1 alpha-2, "" when not known
  std::string network;  // "AS64496", or "192.0.0.0/16"; "" for what is no address
  std::string str() const;  // "DE, AS3320", for people
};

class Places {
 public:
  Places();  // no database
  ~Places();
  Places(Places&&) noexcept;
  Places& operator=(Places&&) noexcept;
  // A file that is not there to be opened is "". Code::invalid names one that cannot be read.
  static Result<Places> open(const std::string& country_file, const std::string& network_file);

  Place of(std::string_view address) const;

 private:
  struct File;
  std::unique_ptr<File> country_, network_;
};

}  // namespace caip::places
