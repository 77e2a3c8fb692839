#include "places/places.h"

#include <arpa/inet.h>
#include <maxminddb.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

namespace caip::places {
namespace {

using Bytes16 = std::array<std::uint8_t, 16>;

struct Parsed {
  Bytes16 bytes{};  // an IPv4 address is in the first four
  bool v4 = false;
};

// "::ffff:192.0.2.1" is the IPv4 address that it carries; a zone ("fe80::1%eth0") is left out.
std::optional<Parsed> parse(std::string_view text) {
  const std::string plain(text.substr(0, text.find('%')));
  Parsed p;
  p.v4 = inet_pton(AF_INET, plain.c_str(), p.bytes.data()) == 1;
  if (p.v4) return p;
  if (inet_pton(AF_INET6, plain.c_str(), p.bytes.data()) != 1) return std::nullopt;
  constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (!std::equal(kMapped.begin(), kMapped.end(), p.bytes.begin())) return p;
  return Parsed{.bytes = {p.bytes[12], p.bytes[13], p.bytes[14], p.bytes[15]}, .v4 = true};
}

std::string network_of(const Parsed& p) {
  Bytes16 first{};
  std::copy_n(p.bytes.begin(), p.v4 ? 2 : 4, first.begin());
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(p.v4 ? AF_INET : AF_INET6, first.data(), text.data(), text.size());
  return std::string(text.data()) + (p.v4 ? "/16" : "/32");
}

sockaddr_storage socket_address(const Parsed& p) {
  sockaddr_storage out{};
  if (p.v4) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    std::memcpy(&v4.sin_addr, p.bytes.data(), sizeof v4.sin_addr);
    std::memcpy(&out, &v4, sizeof v4);
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    std::memcpy(&v6.sin6_addr, p.bytes.data(), sizeof v6.sin6_addr);
    std::memcpy(&out, &v6, sizeof v6);
  }
  return out;
}

// Two letters, or nothing: the file is somebody else's, and what it says is shown to people.
std::string country_in(const std::optional<MMDB_entry_data_s>& data) {
  if (!data || data->type != MMDB_DATA_TYPE_UTF8_STRING || data->data_size != 2) return {};
  const std::string_view code(data->utf8_string, 2);
  return code.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") == code.npos ? std::string(code) : std::string();
}

}  // namespace

struct Places::File {
  explicit File(const std::string& path) : status(MMDB_open(path.c_str(), MMDB_MODE_MMAP, &db)) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (status == MMDB_SUCCESS) MMDB_close(&db);
  }
  // What stands at `path` (ends with a null pointer) in the record of that address.
  std::optional<MMDB_entry_data_s> value(const Parsed& p, const char* const* path) const {
    const sockaddr_storage address = socket_address(p);
    int error = MMDB_SUCCESS;
    MMDB_lookup_result_s found = MMDB_lookup_sockaddr(&db, reinterpret_cast<const sockaddr*>(&address), &error);
    if (error != MMDB_SUCCESS || !found.found_entry) return std::nullopt;
    MMDB_entry_data_s data{};
    if (MMDB_aget_value(&found.entry, &data, path) != MMDB_SUCCESS || !data.has_data) return std::nullopt;
    return data;
  }
  MMDB_s db{};
  int status;
};

std::string Place::str() const { return country.empty() ? network : network.empty() ? country : country + ", " + network; }

Places::Places() = default;
Places::~Places() = default;
Places::Places(Places&&) noexcept = default;
Places& Places::operator=(Places&&) noexcept = default;

Result<Places> Places::open(const std::string& country_file, const std::string& network_file) {
  const auto file = [](const std::string& path) -> Result<std::unique_ptr<File>> {
    if (path.empty()) return std::unique_ptr<File>();
    auto opened = std::make_unique<File>(path);
    if (opened->status != MMDB_SUCCESS) return fail(Code::invalid, "no database of places can be read from " + path + ": " + MMDB_strerror(opened->status));
    return opened;
  };
  CAIP_TRY(country, file(country_file));
  CAIP_TRY(network, file(network_file));
  Places p;
  p.country_ = std::move(country);
  p.network_ = std::move(network);
  return p;
}

Place Places::of(std::string_view address) const {
  const auto parsed = parse(address);
  if (!parsed) return {};
  constexpr std::array<const char*, 3> kMaxMind{"country", "iso_code", nullptr};
  constexpr std::array<const char*, 2> kFlat{"country_code", nullptr}, kNumber{"autonomous_system_number", nullptr};
  Place place{.country = {}, .network = network_of(*parsed)};
  if (country_) place.country = country_in(country_->value(*parsed, kMaxMind.data()));                 // GeoLite2, DB-IP
  if (country_ && place.country.empty()) place.country = country_in(country_->value(*parsed, kFlat.data()));  // ip-location-db
  if (network_)
    if (const auto number = network_->value(*parsed, kNumber.data()); number && number->type == MMDB_DATA_TYPE_UINT32) place.network = "AS" + std::to_string(number->uint32);
  return place;
}

}  // namespace caip::places
