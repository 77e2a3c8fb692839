#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <boost/json.hpp>

namespace caip::log {
namespace {

spdlog::level::level_enum level_of(Level level) {
  switch (level) {
    case Level::debug: return spdlog::level::debug;
    case Level::info: return spdlog::level::info;
    case Level::warn: return spdlog::level::warn;
    case Level::error: return spdlog::level::err;
  }
  return spdlog::level::err;
}

spdlog::logger& sink() {
  static const auto logger = [] {
    auto made = std::make_shared<spdlog::logger>("caip", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern(R"({"at":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})", spdlog::pattern_time_type::utc);
    return made;
  }();
  return *logger;
}

}  // namespace

void set_level(Level level) { sink().set_level(level_of(level)); }

void write(Level level, Message message, std::initializer_list<Field> fields) {
  if (!sink().should_log(level_of(level))) return;
  boost::json::object members;
  members["message"] = message.text();
  for (const Field& f : fields)
    std::visit([&](const auto& v) { members[f.name] = v; }, f.value);
  const std::string text = boost::json::serialize(members);
  sink().log(level_of(level), text.substr(1, text.size() - 2));  // the pattern has the braces
}

}  // namespace caip::log
