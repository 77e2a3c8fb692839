#include "site_notes.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <cerrno>

#include "agent/config.h"
#include "base/bytes.h"
#include "base/json.h"
#include "fd.h"

namespace caip::agent {
namespace {

constexpr std::size_t kMostBytes = 64 * 1024;

std::string order_file(const std::string& folder) { return folder + "/order"; }
std::string answer_file(const std::string& folder) { return folder + "/answer"; }

// What it said; gone from the disk for good.
Result<std::optional<std::string>> take(const std::string& folder, const std::string& file) {
  auto text = read_file(file, kMostBytes);
  if (!text && text.error().code == Code::not_found) return std::optional<std::string>{};
  if (!text) return std::unexpected(std::move(text).error());
  const Fd dir(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (::unlink(file.c_str()) != 0 || !dir || ::fsync(dir.get()) != 0) return fail(Code::internal, file + ": " + ::strerror(errno));
  return std::optional(*std::move(text));
}

Result<SiteOrder> parse_order(const std::string& text) {
  CAIP_TRY(value, parse_canonical(text));
  if (!value.is_object()) return fail(Code::malformed, "an order about a site is an object");
  Members m(value.get_object());
  CAIP_CHECKED(m.integer("v", 1, 1));
  CAIP_TRY(id_text, m.string("order", 64));
  CAIP_TRY(action_text, m.string("action", kMostBytes));
  CAIP_TRY(left_text, m.string("left", 32));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(left, Instant::parse(left_text));
  CAIP_TRY(id, OperationId::parse(id_text));
  CAIP_TRY(action, decode(action_text));
  return SiteOrder{id, std::move(action), left};
}

Result<SiteAnswer> parse_answer(const std::string& text) {
  CAIP_TRY(value, parse_canonical(text));
  if (!value.is_object()) return fail(Code::malformed, "an answer about a site is an object");
  Members m(value.get_object());
  CAIP_CHECKED(m.integer("v", 1, 1));
  CAIP_TRY(id_text, m.string("order", 64));
  CAIP_TRY(ok, m.boolean("ok"));
  CAIP_TRY(error, m.string("error", 4096));
  CAIP_TRY(site_hex, m.string("site", kMostBytes));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(id, OperationId::parse(id_text));
  const auto site = from_hex(site_hex);
  if (!site) return fail(Code::malformed, "an answer about a site: hex");
  return SiteAnswer{id, ok, std::move(error), std::string(text_of(*site))};
}

}  // namespace

Result<void> leave_order(const std::string& folder, const SiteOrder& o) {
  return write_file(order_file(folder), canonical(json::object{{"v", 1}, {"order", o.order.str()}, {"action", encode(o.action)}, {"left", o.left.str()}}), 0600);
}

Result<std::optional<SiteOrder>> take_order(const std::string& folder) {
  CAIP_TRY(text, take(folder, order_file(folder)));
  if (!text) return std::optional<SiteOrder>{};
  CAIP_TRY(order, parse_order(*text));
  return std::optional(std::move(order));
}

Result<void> leave_answer(const std::string& folder, const SiteAnswer& a) {
  return write_file(answer_file(folder), canonical(json::object{{"v", 1}, {"order", a.order.str()}, {"ok", a.ok}, {"error", a.error}, {"site", hex(view(a.site))}}), 0600);
}

Result<std::optional<SiteAnswer>> take_answer(const std::string& folder) {
  CAIP_TRY(text, take(folder, answer_file(folder)));
  if (!text) return std::optional<SiteAnswer>{};
  CAIP_TRY(answer, parse_answer(*text));
  return std::optional(std::move(answer));
}

void clear_notes(const std::string& folder) {
  ::unlink(order_file(folder).c_str());
  ::unlink(answer_file(folder).c_str());
}

}  // namespace caip::agent
