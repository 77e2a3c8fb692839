#include "machine.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "api.h"
#include "terminal.h"

namespace caip::cli {
namespace {

std::string bytes(double v) {
  constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  std::size_t unit = 0;
  for (; v >= 1024 && unit + 1 < kUnits.size(); ++unit) v /= 1024;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", v, kUnits.at(unit));
  return text.data();
}

std::string seconds(double milliseconds) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f s", milliseconds / 1000);
  return text.data();
}

std::string whole(double v) { return std::isfinite(v) ? std::to_string(static_cast<std::int64_t>(std::clamp(v, -1e15, 1e15))) : "-"; }

std::string share(double part, double all) { return all > 0 ? whole(100 * part / all) + " %" : "-"; }

Row process_row(const json::object& p) {
  return {whole(number_member(p, "pid")), text_of_member(p, "name"), text_of_member(p, "user"), text_of_member(p, "unit"), bytes(number_member(p, "memory")), seconds(number_member(p, "cpu_ms")),
          text_of_member(p, "started_at")};
}

Row socket_row(const json::object& s) {
  return {text_of_member(s, "protocol"), text_of_member(s, "address"), whole(number_member(s, "port")), text_of_member(s, "user"), text_of_member(s, "unit")};
}

Row disk_row(const json::object& d) {
  const double size = number_member(d, "size"), used = number_member(d, "used");
  return {text_of_member(d, "path"), bytes(size), bytes(used), share(used, size), share(number_member(d, "inodes_used"), number_member(d, "inodes")), text_of_member(d, "type"), text_of_member(d, "device")};
}

struct Kind {
  const char* member;
  Row head;
  Row (*row)(const json::object&);
};

}  // namespace

std::optional<std::string> machine_text(const json::object& result) {
  const std::array kinds{Kind{"processes", {"PID", "NAME", "USER", "UNIT", "MEMORY", "CPU", "STARTED"}, process_row},
                         Kind{"sockets", {"PROTOCOL", "ADDRESS", "PORT", "USER", "UNIT"}, socket_row},
                         Kind{"disks", {"MOUNTED ON", "SIZE", "USED", "FULL", "INODES", "TYPE", "DEVICE"}, disk_row}};
  for (const Kind& kind : kinds) {
    const auto* list = result.if_contains(kind.member);
    if (list == nullptr || !list->is_array()) continue;
    std::vector<Row> rows;
    for (const auto& one : list->get_array())
      if (one.is_object()) rows.push_back(kind.row(one.get_object()));
    const double more = number_member(result, "left_out");
    return table(kind.head, rows) + (more > 0 ? "\nand " + whole(more) + " more" : "");
  }
  return std::nullopt;
}

}  // namespace caip::cli
