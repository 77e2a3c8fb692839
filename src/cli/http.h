// http.h: one HTTPS request at a time over libcurl: TLS 1.3 only, no redirects, bounded answers.
#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace caip::cli {

struct Reply {
  long status = 0;
  std::string content_type;
  std::string body;
};

struct Request {
  std::string method = "GET";
  std::string url = {};
  std::optional<std::string> body = {};  // JSON
  std::vector<std::string> headers = {};
  long timeout_seconds = 60;
  // With a sink the body of a 2xx answer goes there piece by piece; false ends the transfer.
  std::function<bool(std::string_view)> sink = {};
  std::function<bool()> cancelled = {};  // asked about once a second
};

// ca: the only certificate authority to trust; nothing: those of the system.
Result<Reply> send(const Request&, const std::optional<std::filesystem::path>& ca);

// The chain a server presents, as PEM, whoever signed it. Nothing else is sent or read.
Result<std::vector<std::string>> presented_chain(const std::string& url);
// Whether the server's certificate holds against the system's authorities.
bool trusted_by_system(const std::string& url);

}  // namespace caip::cli
