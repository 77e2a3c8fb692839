// find.h: the steps that several commands share.
#pragma once
#include <string>

#include "api.h"

namespace caip::cli {

// By id, or by name when exactly one server bears it.
Result<json::object> find_server(Api&, const std::string& name_or_id);
std::string unit_name(const std::string& text);  // "nginx" -> "nginx.service"
// Polls until the operation or approval is at its end, or Code::timeout.
Result<json::object> wait_operation(Api&, const std::string& id, std::int64_t seconds);
Result<json::object> wait_approval(Api&, const std::string& id, std::int64_t seconds);
Result<json::object> wait_plan(Api&, const std::string& id, std::int64_t seconds);  // until it runs no more: through, stopped, or its next step is not decided
// A secret from a file, from standard input, or typed without echo.
Result<std::string> secret_value(const std::string& file, bool piped, const std::string& prompt);
// Prints an operation, returns its exit code.
int report_operation(const json::object& operation, bool as_json);
std::string site_text(const json::object& of_server);  // what a server says of a site

}  // namespace caip::cli
