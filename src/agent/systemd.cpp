// systemd by libsystemd: sd-bus for units, sd-journal for their logs.
#include <systemd/sd-bus.h>
#include <systemd/sd-journal.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <map>
#include <set>

#include "agent/config.h"
#include "agent/helper.h"
#include "install_section.h"
#include "tidy.h"
#include "wire.pb.h"

namespace caip::agent {
namespace {

constexpr const char* kService = "org.freedesktop.systemd1";
constexpr const char* kPath = "/org/freedesktop/systemd1";
constexpr const char* kManager = "org.freedesktop.systemd1.Manager";
constexpr auto kJobPatience = std::chrono::seconds(90);
constexpr int kMaxUnits = 2048;
constexpr std::size_t kMostCarried = 64;  // units that are enabled together
constexpr auto kBeforeReboot = std::chrono::seconds(5);
constexpr std::size_t kMaxUnitFile = 1024 * 1024;
constexpr const char* kUnit = "org.freedesktop.systemd1.Unit";

struct FreeBus { void operator()(sd_bus* b) const noexcept { sd_bus_flush_close_unref(b); } };
struct FreeMessage { void operator()(sd_bus_message* m) const noexcept { sd_bus_message_unref(m); } };
struct FreeSlot { void operator()(sd_bus_slot* s) const noexcept { sd_bus_slot_unref(s); } };
struct FreeJournal { void operator()(sd_journal* j) const noexcept { sd_journal_close(j); } };
using Bus = std::unique_ptr<sd_bus, FreeBus>;
using Message = std::unique_ptr<sd_bus_message, FreeMessage>;
using Slot = std::unique_ptr<sd_bus_slot, FreeSlot>;
using Journal = std::unique_ptr<sd_journal, FreeJournal>;

class BusError {
 public:
  BusError() = default;
  BusError(const BusError&) = delete;
  BusError& operator=(const BusError&) = delete;
  ~BusError() { sd_bus_error_free(&error_); }
  sd_bus_error* get() { return &error_; }
  Error error(int code, const char* what) const {
    for (const char* none : {"org.freedesktop.systemd1.NoSuchUnit", "org.freedesktop.DBus.Error.FileNotFound", "System.Error.ENOENT"})
      if (error_.name && std::strcmp(error_.name, none) == 0) return {Code::not_found, "this server has no such unit"};
    return {Code::unavailable, std::string(what) + ": " + (error_.message ? error_.message : std::strerror(-code))};
  }

 private:
  sd_bus_error error_ = SD_BUS_ERROR_NULL;
};

Error errno_error(int code, const char* what) { return {Code::unavailable, std::string(what) + ": " + std::strerror(-code)}; }

Result<Bus> open_bus() {
  sd_bus* raw = nullptr;
  if (int r = sd_bus_open_system(&raw); r < 0) return std::unexpected(errno_error(r, "system bus"));
  return Bus(raw);
}

struct Job {
  std::string path;
  std::string result;  // empty: not over
  std::vector<std::pair<std::string, std::string>> early;  // jobs that ended before we knew our path
};

int on_job_removed(sd_bus_message* m, void* data, sd_bus_error*) {
  auto& job = *static_cast<Job*>(data);
  std::uint32_t id = 0;
  const char *path = nullptr, *unit = nullptr, *result = nullptr;
  if (sd_bus_message_read(m, "uoss", &id, &path, &unit, &result) < 0) return 0;
  if (job.path.empty() && job.early.size() < 64) job.early.emplace_back(path, result);
  if (job.path == path) job.result = result;
  return 0;
}

Result<std::string> property(sd_bus* bus, const char* path, const char* name) {
  BusError error;
  char* value = nullptr;
  int r = sd_bus_get_property_string(bus, kService, path, kUnit, name, error.get(), &value);
  if (r < 0) return std::unexpected(error.error(r, name));
  std::string out(value);
  ::free(value);
  return out;
}

Result<std::string> load_unit(sd_bus* bus, const UnitName& unit) {  // its object path
  BusError error;
  sd_bus_message* raw = nullptr;
  int r = sd_bus_call_method(bus, kService, kPath, kManager, "LoadUnit", error.get(), &raw, "s", unit.str().c_str());
  if (r < 0) return std::unexpected(error.error(r, "systemd"));
  Message reply(raw);
  const char* path = nullptr;
  if (r = sd_bus_message_read(raw, "o", &path); r < 0) return std::unexpected(errno_error(r, "systemd"));
  return std::string(path);
}

// Where systemd's own links are. One that bears the unit's name is how it knows a file that lies elsewhere: disabling would take that away.
Result<void> no_link(const UnitName& unit) {
  for (const char* folder : {"/etc/systemd/system/", "/run/systemd/system/"})
    if (std::error_code none; std::filesystem::is_symlink(folder + unit.str(), none))
      return fail(Code::invalid, "on this server the unit's file is a link (" + (folder + unit.str()) + "), which disabling would remove, too; do that there by hand");
  return {};
}

Result<std::vector<std::string>> strings(sd_bus* bus, const char* path, const char* name) {
  BusError error;
  char** list = nullptr;
  int r = sd_bus_get_property_strv(bus, kService, path, kUnit, name, error.get(), &list);
  if (r < 0) return std::unexpected(error.error(r, name));
  std::vector<std::string> out;
  for (char** one = list; one && *one; ++one) {
    out.emplace_back(*one);
    ::free(*one);
  }
  ::free(static_cast<void*>(list));
  return out;
}

// A unit that is enabled or disabled with another one: how systemd knows it, and what its files say.
struct Carried {
  UnitName unit;
  std::string object;
  std::vector<std::string> names;
  InstallSection says;
};

Result<Carried> carried(sd_bus* bus, UnitName unit) {
  CAIP_TRY(object, load_unit(bus, unit));
  CAIP_TRY(names, strings(bus, object.c_str(), "Names"));
  CAIP_TRY(files, strings(bus, object.c_str(), "DropInPaths"));
  CAIP_TRY(own, property(bus, object.c_str(), "FragmentPath"));
  if (!own.empty()) files.push_back(std::move(own));
  Carried out{std::move(unit), std::move(object), std::move(names), {}};
  for (const std::string& file : files) {
    CAIP_TRY(text, read_file(file, kMaxUnitFile));
    CAIP_TRY(section, install_section(text));
    std::ranges::move(section.also, std::back_inserter(out.says.also));
    std::ranges::move(section.aliases, std::back_inserter(out.says.aliases));
  }
  return out;
}

// The unit itself first. systemd follows Also= from file to file, and so it is done here.
Result<std::vector<Carried>> all_carried(sd_bus* bus, const UnitName& unit) {
  std::vector<Carried> out;
  std::vector<std::string> wanted{unit.str()};
  std::set<std::string> seen;
  while (!wanted.empty()) {
    const std::string name = std::move(wanted.back());
    wanted.pop_back();
    if (!seen.insert(name).second) continue;
    if (seen.size() > kMostCarried) return fail(Code::invalid, "it brings along too many other units");
    CAIP_TRY(next, UnitName::parse(name));
    if (name.contains("@.")) return fail(Code::invalid, "it brings along a template, " + name + ": for which instances is not known here");
    CAIP_TRY(one, carried(bus, std::move(next)));
    std::ranges::copy(one.says.also, std::back_inserter(wanted));
    out.push_back(std::move(one));
  }
  return out;
}

// systemd may take a running unit for dead when it gets a further name and all is read anew (systemd issue 38817): its
// processes run on, nobody stops or restarts them any more, and a new start collides with them.
Result<void> no_new_name_while_it_runs(sd_bus* bus, const std::vector<Carried>& all) {
  for (const Carried& one : all) {
    CAIP_TRY(state, property(bus, one.object.c_str(), "ActiveState"));
    if (state == "inactive" || state == "failed") continue;
    for (const std::string& alias : one.says.aliases)
      if (!std::ranges::contains(one.names, alias))
        return fail(Code::invalid, one.unit.str() + " is running and would get a further name, " + alias + ": systemd may lose sight of what runs. Stop it first, or enable it on the server");
  }
  return {};
}

// As systemctl does it: the links of the file's [Install] section, then systemd reads its files anew. Nothing starts or stops.
Result<void> set_enabled(sd_bus* bus, const UnitName& unit, bool on) {
  CAIP_TRY(all, all_carried(bus, unit));
  if (on) CAIP_CHECKED(no_new_name_while_it_runs(bus, all));
  else for (const Carried& one : all) CAIP_CHECKED(no_link(one.unit));
  BusError error;
  sd_bus_message* raw = nullptr;
  constexpr int kNotOnlyUntilReboot = 0, kNoForce = 0;
  int r = on ? sd_bus_call_method(bus, kService, kPath, kManager, "EnableUnitFiles", error.get(), &raw, "asbb", 1, unit.str().c_str(), kNotOnlyUntilReboot, kNoForce)
             : sd_bus_call_method(bus, kService, kPath, kManager, "DisableUnitFiles", error.get(), &raw, "asb", 1, unit.str().c_str(), kNotOnlyUntilReboot);
  if (r < 0) return std::unexpected(error.error(r, "systemd"));
  Message reply(raw);
  int can = 1;
  if (on && sd_bus_message_read(raw, "b", &can) < 0) return fail(Code::unavailable, "systemd: an answer that cannot be read");
  if (can == 0) return fail(Code::invalid, "this unit says nothing of when it starts (no [Install] section): other units start it, or nobody does");
  BusError stale;
  if (r = sd_bus_call_method(bus, kService, kPath, kManager, "Reload", stale.get(), nullptr, nullptr); r < 0) return std::unexpected(stale.error(r, "systemd"));
  CAIP_TRY(object, load_unit(bus, unit));
  CAIP_TRY(state, property(bus, object.c_str(), "UnitFileState"));
  if (state != (on ? "enabled" : "disabled")) return fail(Code::invalid, "whether it starts is not for its own file to say: systemd calls it " + (state.empty() ? "unknown" : state));
  return {};
}

// The state of each .service that has a file, by its name: also of those that nothing asked for yet.
Result<std::map<std::string, std::string>> file_states(sd_bus* bus) {
  BusError error;
  sd_bus_message* raw = nullptr;
  int r = sd_bus_call_method(bus, kService, kPath, kManager, "ListUnitFilesByPatterns", error.get(), &raw, "asas", 0, 1, "*.service");
  if (r < 0) return std::unexpected(error.error(r, "systemd"));
  Message reply(raw);
  if (r = sd_bus_message_enter_container(raw, 'a', "(ss)"); r < 0) return std::unexpected(errno_error(r, "systemd"));
  std::map<std::string, std::string> out;
  const char *path = nullptr, *state = nullptr;
  while ((r = sd_bus_message_read(raw, "(ss)", &path, &state)) > 0) out.emplace(std::filesystem::path(path).filename(), state);
  if (r < 0) return std::unexpected(errno_error(r, "systemd"));
  return out;
}

// A template is no unit (getty@.service), and an alias is one by its other name.
bool is_unit(const std::string& name, const std::string& state) { return !name.contains("@.") && state != "alias"; }

Result<void> wait_for_job(sd_bus* bus, Job& job) {
  const auto deadline = std::chrono::steady_clock::now() + kJobPatience;
  for (const auto& [path, result] : job.early)
    if (path == job.path) job.result = result;
  while (job.result.empty()) {
    int r = sd_bus_process(bus, nullptr);
    if (r < 0) return std::unexpected(errno_error(r, "system bus"));
    if (r > 0) continue;
    auto left = std::chrono::duration_cast<std::chrono::microseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (left <= 0) return fail(Code::timeout, "systemd has not finished the job yet");
    r = sd_bus_wait(bus, static_cast<std::uint64_t>(left));
    if (r < 0 && r != -EINTR) return std::unexpected(errno_error(r, "system bus"));
  }
  if (job.result == "done") return {};
  return fail(Code::invalid, "systemd ended the job with: " + job.result);
}

std::string field(sd_journal* j, const char* name, std::size_t max) {
  const void* data = nullptr;
  std::size_t size = 0;
  if (sd_journal_get_data(j, name, &data, &size) < 0) return {};
  std::string_view text(static_cast<const char*>(data), size);
  text.remove_prefix(std::min(text.size(), std::strlen(name) + 1));
  return tidy(text, max);
}

std::string line_of(sd_journal* j) {
  std::uint64_t at = 0;
  sd_journal_get_realtime_usec(j, &at);
  std::string who = field(j, "SYSLOG_IDENTIFIER", 64);
  return Instant(static_cast<std::int64_t>(at)).str() + " " + (who.empty() ? "-" : who) + ": " + field(j, "MESSAGE", kMaxLine - 128);
}

class Systemd final : public UnitManager {
 public:
  Result<void> list(wire::UnitList& out) override {
    CAIP_TRY(bus, open_bus());
    BusError error;
    sd_bus_message* raw = nullptr;
    int r = sd_bus_call_method(bus.get(), kService, kPath, kManager, "ListUnitsByPatterns", error.get(), &raw, "asas", 0, 1, "*.service");
    if (r < 0) return std::unexpected(error.error(r, "systemd"));
    Message reply(raw);
    if (r = sd_bus_message_enter_container(raw, 'a', "(ssssssouso)"); r < 0) return std::unexpected(errno_error(r, "systemd"));
    const char *id, *description, *load, *active, *sub, *follow, *path, *job_type, *job_path;
    std::uint32_t job = 0;
    while (out.units_size() < kMaxUnits &&
           (r = sd_bus_message_read(raw, "(ssssssouso)", &id, &description, &load, &active, &sub, &follow, &path, &job, &job_type,
                                    &job_path)) > 0) {
      if (std::strcmp(load, "not-found") == 0) continue;  // named by others, defined by nobody
      wire::Unit& u = *out.add_units();
      u.set_unit(id);
      u.set_description(description);
      u.set_load(load);
      u.set_active(active);
      u.set_sub(sub);
    }
    if (r < 0) return std::unexpected(errno_error(r, "systemd"));
    CAIP_TRY(files, file_states(bus.get()));
    for (wire::Unit& u : *out.mutable_units())
      if (auto found = files.extract(u.unit())) u.set_file_state(found.mapped());
    for (const auto& [name, state] : files) {
      if (out.units_size() >= kMaxUnits) break;
      if (!is_unit(name, state)) continue;
      wire::Unit& u = *out.add_units();
      u.set_unit(name);
      u.set_load("unloaded");
      u.set_active("inactive");
      u.set_sub("dead");
      u.set_file_state(state);
    }
    std::ranges::sort(*out.mutable_units(), {}, [](const wire::Unit& u) { return u.unit(); });
    return {};
  }

  Result<void> status(const UnitName& unit, wire::Unit& out) override {
    CAIP_TRY(bus, open_bus());
    CAIP_TRY(object, load_unit(bus.get(), unit));
    const char* path = object.c_str();
    CAIP_TRY(load, property(bus.get(), path, "LoadState"));
    if (load == "not-found") return fail(Code::not_found, "this server has no such unit");
    CAIP_TRY(description, property(bus.get(), path, "Description"));
    CAIP_TRY(active, property(bus.get(), path, "ActiveState"));
    CAIP_TRY(sub, property(bus.get(), path, "SubState"));
    CAIP_TRY(file_state, property(bus.get(), path, "UnitFileState"));
    out.set_unit(unit.str());
    out.set_file_state(file_state);
    out.set_description(description);
    out.set_load(load);
    out.set_active(active);
    out.set_sub(sub);
    return {};
  }

  Result<std::vector<std::string>> reached(UnitVerb verb, const UnitName& unit) override {
    CAIP_TRY(bus, open_bus());
    if (verb != UnitVerb::enable && verb != UnitVerb::disable) {
      CAIP_TRY(object, load_unit(bus.get(), unit));
      return strings(bus.get(), object.c_str(), "Names");
    }
    CAIP_TRY(all, all_carried(bus.get(), unit));
    std::vector<std::string> out;
    for (const Carried& one : all) {
      out.push_back(one.unit.str());  // also where nothing of that name is there yet
      out.insert(out.end(), one.names.begin(), one.names.end());
      out.insert(out.end(), one.says.aliases.begin(), one.says.aliases.end());
    }
    return out;
  }

  Result<void> run(UnitVerb verb, const UnitName& unit) override {
    CAIP_TRY(bus, open_bus());
    if (verb == UnitVerb::enable || verb == UnitVerb::disable) return set_enabled(bus.get(), unit, verb == UnitVerb::enable);
    Job job;
    sd_bus_slot* raw_slot = nullptr;
    int r = sd_bus_match_signal(bus.get(), &raw_slot, kService, kPath, kManager, "JobRemoved", on_job_removed, &job);
    if (r < 0) return std::unexpected(errno_error(r, "system bus"));
    Slot slot(raw_slot);
    BusError error;
    if (r = sd_bus_call_method(bus.get(), kService, kPath, kManager, "Subscribe", error.get(), nullptr, nullptr); r < 0)
      return std::unexpected(error.error(r, "systemd"));
    sd_bus_message* raw = nullptr;
    BusError refused;
    r = sd_bus_call_method(bus.get(), kService, kPath, kManager, method(verb), refused.get(), &raw, "ss", unit.str().c_str(), "replace");
    if (r < 0) return std::unexpected(refused.error(r, "systemd"));
    Message reply(raw);
    const char* path = nullptr;
    if (r = sd_bus_message_read(raw, "o", &path); r < 0) return std::unexpected(errno_error(r, "systemd"));
    job.path = path;
    return wait_for_job(bus.get(), job);
  }

  // Not at once: the answer has to be kept and sent before systemd ends this process.
  Result<void> reboot() override {
    CAIP_TRY(bus, open_bus());
    BusError error;
    const auto at = static_cast<std::uint64_t>((SystemClock().now() + kBeforeReboot).micros());
    const int r = sd_bus_call_method(bus.get(), "org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager", "ScheduleShutdown", error.get(), nullptr, "st",
                                     "reboot", at);
    if (r < 0) return std::unexpected(error.error(r, "systemd-logind"));
    return {};
  }

  Result<std::vector<std::string>> journal(const UnitName& unit, std::int64_t lines) override {
    sd_journal* raw = nullptr;
    if (int r = sd_journal_open(&raw, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM); r < 0) return std::unexpected(errno_error(r, "journal"));
    Journal j(raw);
    // What the unit said, or what systemd (process 1, not someone who claims so) said about it.
    const std::string from = "_SYSTEMD_UNIT=" + unit.str(), about = "UNIT=" + unit.str();
    if (sd_journal_add_match(raw, from.c_str(), 0) < 0 || sd_journal_add_disjunction(raw) < 0 ||
        sd_journal_add_match(raw, about.c_str(), 0) < 0 || sd_journal_add_match(raw, "_PID=1", 0) < 0)
      return fail(Code::internal, "journal: match");
    if (int r = sd_journal_seek_tail(raw); r < 0) return std::unexpected(errno_error(r, "journal"));
    std::vector<std::string> out;
    while (static_cast<std::int64_t>(out.size()) < lines) {
      int r = sd_journal_previous(raw);
      if (r < 0) return std::unexpected(errno_error(r, "journal"));
      if (r == 0) break;
      out.push_back(line_of(raw));
    }
    std::ranges::reverse(out);
    return out;
  }

 private:
  static const char* method(UnitVerb verb) {
    switch (verb) {
      case UnitVerb::start: return "StartUnit";
      case UnitVerb::stop: return "StopUnit";
      case UnitVerb::restart: return "RestartUnit";
      case UnitVerb::reload: return "ReloadUnit";
      case UnitVerb::enable:
      case UnitVerb::disable: break;  // no job: set_enabled()
    }
    return "";
  }
};

}  // namespace

std::unique_ptr<UnitManager> make_systemd() { return std::make_unique<Systemd>(); }

}  // namespace caip::agent
