#include "oracle.h"

#include <algorithm>

#include "base/json.h"

namespace caip::hostile {

Plain plain(const std::string& bytes) {
  Plain out;
  const auto parsed = parse_json(bytes);
  if (!parsed || !parsed->is_object()) return out;
  const auto take = [&](std::string_view name, std::string& to) {
    const auto* v = parsed->get_object().if_contains(name);
    if (v && v->is_string()) to = std::string(v->get_string());
  };
  take("action", out.action);
  take("server", out.server);
  take("unit", out.unit);
  return out;
}

bool Plain::cuts_access() const {
  const bool starts = action == "unit.start" || action == "unit.enable";
  if (unit.starts_with("nftables.") || unit.starts_with("ufw.")) return true;
  const bool lets_in = unit.starts_with("ssh.") || unit.starts_with("sshd.") || unit.starts_with("ssh@") || unit.starts_with("networking.");
  return lets_in && !starts;
}

void Oracle::proposed(const ApprovalId& id, const UserId& requester, PilotMode mode) {
  const std::scoped_lock lock(mutex_);
  cards_.try_emplace(id.str(), Card{requester, mode, {}, false, {}, 0});
}

void Oracle::yes(const ApprovalId& id, Yes y) {
  const std::scoped_lock lock(mutex_);
  if (const auto it = cards_.find(id.str()); it != cards_.end()) it->second.yeses.push_back(std::move(y));
  else wrongs_.push_back("a yes to a card that nobody saw being proposed: " + id.str());
}

void Oracle::take_back(const ApprovalId& id) {
  const std::scoped_lock lock(mutex_);
  if (const auto it = cards_.find(id.str()); it != cards_.end()) it->second.yeses.clear();
}

void Oracle::no(const ApprovalId& id) {
  const std::scoped_lock lock(mutex_);
  if (const auto it = cards_.find(id.str()); it != cards_.end()) it->second.no = true;
}

void Oracle::mode(const ApprovalId& id, PilotMode to) {
  const std::scoped_lock lock(mutex_);
  if (const auto it = cards_.find(id.str()); it != cards_.end()) it->second.mode = to;
}

int Oracle::orders(const ApprovalId& id) const {
  const std::scoped_lock lock(mutex_);
  const auto it = cards_.find(id.str());
  return it == cards_.end() ? 0 : static_cast<int>(it->second.orders.size());
}
int Oracle::runs(const ApprovalId& id) const {
  const std::scoped_lock lock(mutex_);
  const auto it = cards_.find(id.str());
  return it == cards_.end() ? 0 : it->second.runs;
}

std::string Oracle::gates(const Stance::Machine& m, const std::string& operation, PilotMode mode) const {
  const auto& org = stance_.orgs.at(m.org);
  if (!org.on) return "the AI is stopped";
  if (!org.writes) return "its writes are switched off";
  if (org.off.contains(operation)) return operation + " is switched off";
  if (m.access != AiAccess::full) return "it has no full access to that server";
  const bool production = m.environment == Environment::production || m.environment == Environment::unknown;
  if (production && !(org.unprotected_until && clock_.now() < *org.unprotected_until)) return "production is protected";
  if (mode != PilotMode::plan) return "the conversation is in Ask mode";
  return {};
}

// Member and above act on services; Admin and Owner alone on what people reach the machine through.
std::string Oracle::people(const Card& card, const std::string& bytes, const Stance::Machine& m, bool access) const {
  const auto may = [&](const UserId& user) {
    const auto role = stance_.roles.find(user.str());
    if (role == stance_.roles.end() || stance_.belongs.at(user.str()) != m.org) return false;
    return access ? role->second == Role::admin || role->second == Role::owner : role->second != Role::viewer;
  };
  if (!may(card.requester)) return "who asked may not do it";
  if (card.yeses.empty()) return "nobody said yes";
  std::set<std::string> givers;
  for (const Yes& y : card.yeses) {
    if (y.bytes != bytes) return "the yes was to other bytes";
    if (!may(y.who)) return "who said yes may not do it";
    if (access && !y.stepped_up) return "the yes was without a step-up";
    if (clock_.now() >= y.until) return "the card had ended";
    givers.insert(y.who.str());
  }
  const bool production = m.environment == Environment::production || m.environment == Environment::unknown;
  if (stance_.orgs.at(m.org).two_people && (production || access)) {
    if (givers.size() < 2) return "two people had to say yes";
    if (card.yeses.back().who == card.requester) return "who asked gave the second yes";
  }
  return {};
}

std::string Oracle::why_no_yes(const UserId& who, const std::string& bytes, const ApprovalId& id, bool stepped_up) const {
  const std::scoped_lock lock(mutex_);
  const auto it = cards_.find(id.str());
  if (it == cards_.end()) return "no such card";
  const Plain p = plain(bytes);
  const auto server = ServerId::parse(p.server);
  if (!server || !stance_.machines.contains(*server)) return "no such server";
  const auto& m = stance_.machines.at(*server);
  if (it->second.no) return "it was denied";
  if (auto shut = gates(m, p.action, it->second.mode); !shut.empty()) return shut;
  const auto role = stance_.roles.find(who.str());
  if (role == stance_.roles.end() || stance_.belongs.at(who.str()) != m.org) return "not a member of that organisation";
  if (role->second == Role::viewer) return "a viewer";
  if (p.cuts_access() && role->second == Role::member) return "a member, of what only Admins may do";
  if (p.cuts_access() && !stepped_up) return "no step-up";
  return {};
}

std::string Oracle::why_not(const ServerId& server, const channel::SignedOrder& o) {
  const Plain p = plain(o.action);
  if (p.server != server.str()) return "its action names another server";
  if (!stance_.machines.contains(server)) return "no such server";
  const auto& m = stance_.machines.at(server);
  const auto parsed = parse_json(o.order);
  if (!parsed || !parsed->is_object()) return "its order is no JSON";
  const auto& order = parsed->get_object();
  const auto text = [&](std::string_view name) {
    const auto* v = order.if_contains(name);
    return v && v->is_string() ? std::string(v->get_string()) : std::string();
  };
  if (text("org") != m.org.str()) return "it is of another organisation";
  const auto belongs = stance_.belongs.find(text("requester"));
  if (belongs == stance_.belongs.end() || belongs->second != m.org) return "who asked is of another organisation";
  if (!p.writes()) {
    ++reads_;
    if (!stance_.orgs.at(m.org).on) return "a look while the AI is stopped";
    return m.access == AiAccess::none ? "a look at a server that does not exist for it" : "";
  }
  const auto card = cards_.find(text("approval"));
  if (card == cards_.end()) return "no card is behind it";
  card->second.orders.insert(o.order);
  if (card->second.orders.size() > 1) return "a second order for one card";
  if (card->second.no) return "its card was denied or ended";
  if (auto why = people(card->second, o.action, m, p.cuts_access()); !why.empty()) return why;
  return gates(m, p.action, card->second.mode);
}

void Oracle::sent(const ServerId& server, const channel::SignedOrder& o) {
  const std::scoped_lock lock(mutex_);
  if (auto why = why_not(server, o); !why.empty()) wrongs_.push_back("an order was sent: " + why + ": " + o.action);
  orders_.emplace(o.order, std::pair(server, o.action));
}

void Oracle::ran(const ServerId& server, const std::string& order_bytes, const std::string& what) {
  const std::scoped_lock lock(mutex_);
  ++runs_;
  const auto order = orders_.find(order_bytes);
  if (order == orders_.end()) return wrongs_.push_back("it ran, and nobody sent these bytes: " + what);
  if (order->second.first != server) wrongs_.push_back("it ran on a server that it was not sent to: " + what);
  const Plain p = plain(order->second.second);
  if (p.action.substr(5) + " " + p.unit != what) wrongs_.push_back("it ran " + what + ", and what was sent is " + order->second.second);
  if (++runs_of_[order_bytes] > 1) wrongs_.push_back("it ran twice: " + what);
  const auto parsed = parse_json(order_bytes);
  const auto* approval = parsed->get_object().if_contains("approval");
  const auto card = approval && approval->is_string() ? cards_.find(std::string(approval->get_string())) : cards_.end();
  if (card == cards_.end()) return wrongs_.push_back("it ran without a card: " + what);
  if (++card->second.runs > 1) wrongs_.push_back("a card was run twice: " + what);
}

void Oracle::wrong(std::string what) {
  const std::scoped_lock lock(mutex_);
  wrongs_.push_back(std::move(what));
}
std::vector<std::string> Oracle::take_wrongs() {
  const std::scoped_lock lock(mutex_);
  return std::exchange(wrongs_, {});
}
std::size_t Oracle::runs() const {
  const std::scoped_lock lock(mutex_);
  return runs_;
}
std::size_t Oracle::reads() const {
  const std::scoped_lock lock(mutex_);
  return reads_;
}
void Oracle::forget() {
  const std::scoped_lock lock(mutex_);
  cards_.clear();
  orders_.clear();
  runs_of_.clear();
}

}  // namespace caip::hostile
