#include "planner.h"

#include <algorithm>
// g++ 14 with -fsanitize=address warns about libstdc++'s own std::regex.
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <regex>

namespace caip::pilot {
namespace {

constexpr std::size_t kMaxQuestion = 500;
constexpr std::size_t kMaxAnswer = 30000;

enum class Wish : std::uint8_t { servers, services, status, bring_back, act, log, unknown };
struct Request {
  Wish wish = Wish::unknown;
  std::string unit, server, verb;
  std::int64_t lines = 20;
};

struct Pattern {
  std::regex form;
  Wish wish;
  int unit, server, verb, lines;  // which group; 0: none
};

const std::vector<Pattern>& patterns() {
  static const std::string kUnit = "(?:the )?([a-z0-9@._:\\\\-]+)(?: service)?";
  static const std::string kOn = " (?:on|at|of) (?:server )?([a-z0-9_-]+)";
  static const std::string kDown = " is (?:down|dead|stopped|not running|broken|offline)";
  const auto form = [](const std::string& text) { return std::regex(text, std::regex::ECMAScript | std::regex::icase); };
  static const std::vector<Pattern> kAll{
      {form("(restart|start|stop) " + kUnit + kOn), Wish::act, 2, 3, 1, 0},
      {form(kUnit + kOn + kDown + ".*"), Wish::bring_back, 1, 2, 0, 0},
      {form(kUnit + kDown + kOn + ".*"), Wish::bring_back, 1, 2, 0, 0},
      {form("bring (?:back )?" + kUnit + kOn + "(?: back)?(?: up)?"), Wish::bring_back, 1, 2, 0, 0},
      {form("bring " + kUnit + " back(?: up)?" + kOn), Wish::bring_back, 1, 2, 0, 0},
      {form("(?:show |give |tell )?(?:me )?(?:the )?(?:last )?(?:([0-9]{1,3}) )?(?:lines )?(?:of |from )?" + kUnit +
            "(?:'s|\xe2\x80\x99s)? (?:logs?|journal)" + kOn), Wish::log, 2, 3, 0, 1},
      {form("(?:show |give |tell )?(?:me )?(?:the )?(?:last )?(?:([0-9]{1,3}) )?(?:lines |logs? |journal )(?:of |from |for )" + kUnit + kOn), Wish::log, 2, 3, 0, 1},
      {form("(?:list |show |what are |which )?(?:me )?(?:all )?(?:the )?services(?: are| run| running)*" + kOn), Wish::services, 0, 1, 0, 0},
      {form("(?:show |what is |what's )?(?:me )?(?:the )?(?:status|state) of " + kUnit + kOn), Wish::status, 1, 2, 0, 0},
      {form("is " + kUnit + " (?:up|down|running|active|alive)" + kOn), Wish::status, 1, 2, 0, 0},
      {form("(?:show |list |which |what are |how are |what is |what's )?(?:me )?(?:the )?(?:status of |state of )?(?:all )?(?:the |my |our )?servers"
            "(?: status| are online| are offline| are down| are up| doing)?"), Wish::servers, 0, 0, 0, 0},
      {form("(?:server )?status"), Wish::servers, 0, 0, 0, 0},
  };
  return kAll;
}

// One space between words, no polite opening, no punctuation at the end.
std::string plain(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kMaxQuestion)) {
    const bool space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (space && (out.empty() || out.back() == ' ')) continue;
    out += space ? ' ' : c;
  }
  static const std::regex kPolite("^(?:please|can you|could you|would you|hey|hi|hello|pilot)[,]? ", std::regex::ECMAScript | std::regex::icase);
  for (std::string next = std::regex_replace(out, kPolite, ""); next != out; next = std::regex_replace(out, kPolite, "")) out = next;
  while (!out.empty() && std::string_view(" .!?").contains(out.back())) out.pop_back();
  if (out.ends_with(" please")) out.erase(out.size() - 7);
  while (!out.empty() && std::string_view(" ,").contains(out.back())) out.pop_back();
  return out;
}

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

Request understood(std::string_view question) {
  if (question.size() > kMaxQuestion) return {};
  const std::string text = plain(question);
  for (const Pattern& p : patterns()) {
    std::smatch m;
    if (!std::regex_match(text, m, p.form)) continue;
    const auto group = [&](int i) { return i == 0 ? std::string{} : m[static_cast<std::size_t>(i)].str(); };
    Request r{.wish = p.wish, .unit = group(p.unit), .server = lower(group(p.server)), .verb = lower(group(p.verb))};
    if (!r.unit.empty() && !r.unit.contains('.')) r.unit += ".service";
    if (const auto n = group(p.lines); !n.empty()) r.lines = std::clamp<std::int64_t>(std::stoll(n), 1, 200);
    return r;
  }
  return {};
}

Turn say(const std::string& text) { return {Foreign(text, kMaxAnswer), {}}; }

Turn call(std::size_t step, std::string_view tool, const json::object& arguments) {
  return {Foreign{}, {{"call_" + std::to_string(step + 1), std::string(tool), json::serialize(arguments)}}};
}

std::string member(const json::object& object, std::string_view name) {
  const json::value* v = object.if_contains(name);
  return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::string{};
}

bool flag(const json::object& object, std::string_view name) {
  const json::value* v = object.if_contains(name);
  return v != nullptr && v->is_bool() && v->get_bool();
}

// Text with lines, each one escaped.
std::string lines_shown(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto end = text.find('\n');
    out += shown(text.substr(0, end)) + "\n";
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return out;
}

template <class F>
std::string each(const json::object& result, std::string_view list, F&& f) {
  std::string out;
  if (const json::value* v = result.if_contains(list); v != nullptr && v->is_array())
    for (const auto& item : v->get_array())
      if (item.is_object()) out += f(item.get_object());
  return out;
}

std::string servers_text(const json::object& result) {
  const auto text = each(result, "servers", [](const json::object& s) {
    const std::string seen = member(s, "last_seen");
    return shown(member(s, "name")) + ": " + (flag(s, "online") ? "online" : "offline" + (seen.empty() ? "" : ", last seen " + shown(seen))) +
           ", environment " + shown(member(s, "environment")) + "\n";
  });
  return text.empty() ? "There are no servers yet." : text;
}

std::string services_text(const json::object& result, const std::string& server) {
  const auto text = each(result, "services", [](const json::object& s) {
    return shown(member(s, "unit")) + ": " + shown(member(s, "active")) + " (" + shown(member(s, "sub")) + ")\n";
  });
  return text.empty() ? "No services of " + server + " are known." : "Services on " + server + ":\n" + text;
}

std::string help() {
  std::string out = "I am the built-in pilot and work without a model, so I understand a few requests only. For example:\n";
  for (const auto& example : planner_examples()) out += "- " + example + "\n";
  return out;
}

std::string intent_of(const Request& r, std::string_view verb) {
  if (r.wish == Wish::bring_back) return r.unit + " on " + r.server + " is reported down: restart it to bring it back.";
  return std::string(verb) + " " + r.unit + " on " + r.server + ", as asked.";
}

Turn propose(std::size_t step, const Request& r, const std::string& verb) {
  return call(step, "propose_service_action", {{"server", r.server}, {"unit", r.unit}, {"action", verb}, {"intent", intent_of(r, verb)}});
}

Turn proposed(const Request& r, const std::string& verb, const json::object& result) {
  return say("I propose to " + verb + " " + r.unit + " on " + r.server + " (impact: " + shown(member(result, "impact")) +
             "). It waits for your decision; nothing runs before you allow it.");
}

Turn first_step(const Request& r) {
  const json::object at{{"server", r.server}, {"unit", r.unit}};
  switch (r.wish) {
    case Wish::servers: return call(0, "list_servers", {});
    case Wish::services: return call(0, "list_services", {{"server", r.server}});
    case Wish::status:
    case Wish::bring_back: return call(0, "service_status", at);
    case Wish::act: return propose(0, r, r.verb);
    case Wish::log: return call(0, "read_journal", {{"server", r.server}, {"unit", r.unit}, {"lines", r.lines}});
    case Wish::unknown: break;
  }
  return say(help());
}

// "active: active (running)" is what runner writes; anything else does not run.
bool runs(const std::string& status) { return status.contains("active: active"); }

Turn after(const Request& r, std::span<const json::object> results) {
  const json::object& last = results.back();
  if (const auto error = member(last, "error"); !error.empty()) return say("That did not work: " + shown(error) + ".");
  switch (r.wish) {
    case Wish::servers: return say(servers_text(last));
    case Wish::services: return say(services_text(last, r.server));
    case Wish::status: return say(lines_shown(member(last, "status")));
    case Wish::act: return proposed(r, r.verb, last);
    case Wish::log: return say("The last lines of " + r.unit + " on " + r.server + ", as the server has them:\n" + lines_shown(member(last, "lines")));
    case Wish::bring_back: break;
    case Wish::unknown: return say(help());
  }
  if (results.size() > 1) return proposed(r, "restart", last);
  if (!runs(member(last, "status"))) return propose(1, r, "restart");
  return say(r.unit + " on " + r.server + " is running. To restart it anyway, say: restart " + r.unit + " on " + r.server + ".");
}

}  // namespace

std::vector<std::string> planner_examples() {
  return {"status of my servers", "list services on web-1", "status of nginx on web-1", "nginx on web-1 is down, bring it back",
          "restart nginx on web-1", "start nginx on web-1", "stop nginx on web-1", "show the last 20 lines of nginx's log on web-1"};
}

Turn plan(std::span<const Message> messages) {
  std::size_t question = messages.size();
  for (std::size_t i = 0; i < messages.size(); ++i)
    if (messages[i].speaker == Speaker::user) question = i;
  if (question == messages.size()) return say(help());
  std::vector<json::object> results;
  for (const Message& m : messages.subspan(question + 1)) {
    if (m.speaker != Speaker::tool) continue;
    auto result = parse_object(m.text);
    results.push_back(result ? *std::move(result) : json::object{{"error", "the tool's answer makes no sense"}});
  }
  const Request request = understood(messages[question].text);
  return results.empty() ? first_step(request) : after(request, results);
}

}  // namespace caip::pilot
