#include "rows.h"

#include <array>

namespace caip::sites::rows {
namespace {

constexpr std::array<std::string_view, 4> kStates{"fresh", "live", "deleted", "unknown"};  // in the order of the enum

#define SITE_COLUMNS "SELECT id, org, server, name, spec, wanted, state, operation, doing, ends, created, changed FROM sites "

std::string packed(const SiteSpec& spec) {
  json::object out;
  spec.write(out);
  return canonical(out);
}

Result<SiteSpec> unpacked(const std::string& text) {
  CAIP_TRY(value, parse_canonical(text));
  if (!value.is_object()) return fail(Code::storage_failed, "a site's row: spec");
  Members m(value.get_object());
  CAIP_TRY(spec, SiteSpec::read(m));
  CAIP_CHECKED(m.finish());
  return spec;
}

State state_of(const std::string& text) {
  for (std::size_t i = 0; i < kStates.size(); ++i)
    if (kStates.at(i) == text) return static_cast<State>(i);
  return State::unknown;
}

Result<Site> read(const storage::Row& r) {
  CAIP_TRY(id, r.id<SiteId>(0));
  CAIP_TRY(org, r.id<OrgId>(1));
  CAIP_TRY(server, r.id<ServerId>(2));
  CAIP_TRY(name, SiteName::parse(r.text(3)));
  CAIP_TRY(spec, unpacked(r.text(4)));
  CAIP_TRY(operation, r.optional_id<OperationId>(7));
  Site out{.id = id, .org = org, .server = server, .name = std::move(name), .spec = std::move(spec), .wanted = {}, .state = state_of(r.text(6)), .operation = operation,
           .doing = r.text(8), .ends = r.optional_time(9), .created = r.time(10), .changed = r.time(11)};
  if (const auto packed = r.optional_text(5)) {
    CAIP_TRY(wanted, unpacked(*packed));
    out.wanted = std::move(wanted);
  }
  return out;
}

// Collects; a damaged row is an error of the whole list.
struct Collect {
  std::vector<Site> all = {};
  std::optional<Error> damage = {};
  void operator()(const storage::Row& r) {
    auto one = read(r);
    if (one) all.push_back(*std::move(one));
    else damage = one.error();
  }
  Result<std::vector<Site>> done() && {
    if (damage) return std::unexpected(*std::move(damage));
    return std::move(all);
  }
};

}  // namespace

Result<std::optional<Site>> find(storage::Reader& tx, const SiteId& id) {
  Collect out;
  CAIP_CHECKED(tx.query(SITE_COLUMNS "WHERE id = ?1", id, [&](const storage::Row& r) { out(r); }));
  CAIP_TRY(all, std::move(out).done());
  return all.empty() ? std::optional<Site>() : std::optional(std::move(all.front()));
}

Result<std::vector<Site>> of(storage::Reader& tx, const OrgId& org) {
  Collect out;
  CAIP_CHECKED(tx.query(SITE_COLUMNS "WHERE org = ?1 ORDER BY name", org, [&](const storage::Row& r) { out(r); }));
  return std::move(out).done();
}

Result<std::int64_t> count(storage::Reader& tx, const OrgId& org) {
  CAIP_TRY(n, tx.one<std::int64_t>("SELECT count(*) FROM sites WHERE org = ?1", org, [](const storage::Row& r) { return r.integer(0); }));
  return n.value_or(0);
}

Result<bool> name_taken(storage::Reader& tx, const OrgId& org, const SiteName& name) {
  CAIP_TRY(n, tx.one<std::int64_t>("SELECT count(*) FROM sites WHERE org = ?1 AND name = ?2", org, name.str(), [](const storage::Row& r) { return r.integer(0); }));
  return n.value_or(0) != 0;
}

Result<void> insert(storage::WriteTx& tx, const Site& s) {
  CAIP_CHECKED(tx.exec("INSERT INTO sites (id, org, server, name, spec, state, created, changed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)",
                       s.id, s.org, s.server, s.name.str(), packed(s.spec), kStates.at(static_cast<std::size_t>(s.state)), s.created));
  return update(tx, s);
}

Result<void> update(storage::WriteTx& tx, const Site& s) {
  const auto wanted = s.wanted ? std::optional(packed(*s.wanted)) : std::nullopt;
  CAIP_CHECKED(tx.exec("UPDATE sites SET spec = ?2, wanted = ?3, state = ?4, operation = ?5, doing = ?6, ends = ?7, changed = ?8 WHERE id = ?1",
                       s.id, packed(s.spec), wanted, kStates.at(static_cast<std::size_t>(s.state)), s.operation, s.doing, s.ends, s.changed));
  return {};
}

Result<void> remove(storage::WriteTx& tx, const SiteId& id) {
  CAIP_CHECKED(tx.exec("DELETE FROM site_domains WHERE site = ?1", id));
  CAIP_CHECKED(tx.exec("DELETE FROM sites WHERE id = ?1", id));
  return {};
}

Result<void> set_domains(storage::WriteTx& tx, const Site& s, const std::set<DomainName>& domains) {
  CAIP_CHECKED(tx.exec("DELETE FROM site_domains WHERE site = ?1", s.id));
  for (const DomainName& d : domains) {
    CAIP_TRY(other, tx.one<std::string>("SELECT site FROM site_domains WHERE server = ?1 AND domain = ?2", s.server, d.str(), [](const storage::Row& r) { return r.text(0); }));
    if (other) return fail(Code::conflict, d.str() + " is a domain of another site on this server (" + *other + ")");
    CAIP_CHECKED(tx.exec("INSERT INTO site_domains (server, domain, site) VALUES (?1, ?2, ?3)", s.server, d.str(), s.id));
  }
  return {};
}

Result<std::vector<Site>> ending(storage::Reader& tx, Instant then, std::int64_t most) {
  Collect out;
  CAIP_CHECKED(tx.query(SITE_COLUMNS "WHERE ends IS NOT NULL AND ends <= ?1 AND state = 'deleted' AND operation IS NULL ORDER BY ends LIMIT ?2", then, most, [&](const storage::Row& r) { out(r); }));
  return std::move(out).done();
}

Result<std::vector<Site>> of_no_server(storage::Reader& tx, std::int64_t most) {
  Collect out;
  CAIP_CHECKED(tx.query(SITE_COLUMNS "WHERE server NOT IN (SELECT id FROM servers) LIMIT ?1", most, [&](const storage::Row& r) { out(r); }));
  return std::move(out).done();
}

Result<void> end_of(storage::WriteTx& tx, const OrgId& org) {
  CAIP_CHECKED(tx.exec("DELETE FROM site_domains WHERE site IN (SELECT id FROM sites WHERE org = ?1)", org));
  CAIP_CHECKED(tx.exec("DELETE FROM sites WHERE org = ?1", org));
  return {};
}

#undef SITE_COLUMNS

}  // namespace caip::sites::rows
