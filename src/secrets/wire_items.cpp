// Items, changes and inventories as the members of frames.
#include "frame.h"
#include "keeper_wire.h"

namespace caip::secrets {
namespace {

template <class I>
Result<I> id_of(BytesView b) {
  IdBytes bytes{};
  if (b.size() != bytes.size()) return fail(Code::malformed, "not an id");
  std::copy(b.begin(), b.end(), bytes.begin());
  return I{bytes};
}

Result<Item> decode_item(Reader& r) {
  CAIP_TRY(id, id_of<SecretId>(r.bytes()));
  const std::uint8_t kind = r.u8();
  if (kind >= kSecretKinds.size()) return fail(Code::malformed, "unknown kind");
  Item item{.id = id, .kind = static_cast<SecretKind>(kind), .version = r.u32(), .field = std::string(r.text()), .data = {}};
  const BytesView data = r.bytes();
  item.data = SecretBytes(Bytes(data.begin(), data.end()));
  return item;
}

void put_time(Writer& w, const std::optional<Instant>& t) { w.u8(t ? 1 : 0).u64(static_cast<std::uint64_t>(t ? t->micros() : 0)); }
std::optional<Instant> get_time(Reader& r) {
  const bool there = r.u8() != 0;
  const Instant at{static_cast<std::int64_t>(r.u64())};
  return there ? std::optional(at) : std::nullopt;
}

Result<KeyInfo> decode_key(Reader& r) {
  const std::uint8_t key = r.u8();
  if (key > static_cast<std::uint8_t>(KeyClass::pepper)) return fail(Code::malformed, "unknown key");
  KeyInfo info{.key = static_cast<KeyClass>(key), .org = {}, .generation = 1, .created = {}, .ends = {}, .public_key = {}};
  const BytesView org = r.bytes();
  if (!org.empty()) {
    CAIP_TRY(id, id_of<OrgId>(org));
    info.org = id;
  }
  info.generation = r.u32();
  info.created = Instant{static_cast<std::int64_t>(r.u64())};
  info.ends = get_time(r);
  const BytesView public_key = r.bytes();
  info.public_key.assign(public_key.begin(), public_key.end());
  return info;
}

}  // namespace

Bytes encode_items(const OrgId& org, const Items& items) {
  Writer w;
  w.bytes(org.bytes()).u32(static_cast<std::uint32_t>(items.size()));
  for (const auto& i : items) w.bytes(i.id.bytes()).u8(static_cast<std::uint8_t>(i.kind)).u32(i.version).text(i.field).secret(i.data);
  return w.take();
}

Result<std::pair<OrgId, Items>> decode_items(BytesView bytes) {
  Reader r(bytes);
  CAIP_TRY(org, id_of<OrgId>(r.bytes()));
  const std::uint32_t count = r.u32();
  if (count > kMostItems) return fail(Code::too_large, "too many values at once");
  Items items;
  items.reserve(count);
  for (std::uint32_t n = 0; n < count && r.ok(); ++n) {
    CAIP_TRY(item, decode_item(r));
    items.push_back(std::move(item));
  }
  CAIP_CHECKED(r.finish());
  return std::pair{org, std::move(items)};
}

Bytes encode_change(const KeyChange& c) {
  return Writer().u8(static_cast<std::uint8_t>(c.what)).u8(static_cast<std::uint8_t>(c.key)).text(c.org).u32(c.generation).take();
}

Result<KeyChange> decode_change(BytesView bytes) {
  Reader r(bytes);
  const std::uint8_t what = r.u8(), key = r.u8();
  KeyChange change{.what = static_cast<KeyChange::What>(what), .key = static_cast<KeyClass>(key), .org = std::string(r.text()), .generation = r.u32()};
  CAIP_CHECKED(r.finish());
  if (what < 1 || what > static_cast<std::uint8_t>(KeyChange::What::destroy_signing_key) || key > static_cast<std::uint8_t>(KeyClass::pepper)) return fail(Code::malformed, "unknown change of keys");
  if (change.what == KeyChange::What::new_data_key || change.what == KeyChange::What::destroy_data_keys) CAIP_CHECKED(OrgId::parse(change.org));
  return change;
}

Bytes encode_inventory(const Inventory& inventory) {
  Writer w;
  w.u8(inventory.memory_locked ? 1 : 0).u32(static_cast<std::uint32_t>(inventory.keys.size()));
  for (const auto& k : inventory.keys) {
    w.u8(static_cast<std::uint8_t>(k.key)).bytes(k.org ? BytesView(k.org->bytes()) : BytesView()).u32(k.generation).u64(static_cast<std::uint64_t>(k.created.micros()));
    put_time(w, k.ends);
    w.bytes(k.public_key);
  }
  w.u32(static_cast<std::uint32_t>(inventory.seals.size()));
  for (const auto& s : inventory.seals) w.text(s.id).text(s.kind).u64(static_cast<std::uint64_t>(s.created.micros()));
  return w.take();
}

Result<Inventory> decode_inventory(BytesView bytes) {
  Reader r(bytes);
  Inventory out;
  out.memory_locked = r.u8() != 0;
  for (std::uint32_t n = r.u32(); n > 0 && r.ok(); --n) {
    CAIP_TRY(key, decode_key(r));
    out.keys.push_back(std::move(key));
  }
  for (std::uint32_t n = r.u32(); n > 0 && r.ok(); --n) {
    SealInfo seal{.id = std::string(r.text()), .kind = std::string(r.text()), .created = Instant{static_cast<std::int64_t>(r.u64())}};
    out.seals.push_back(std::move(seal));
  }
  CAIP_CHECKED(r.finish());
  return out;
}

Bytes encode_standing(const Standing& s) {
  Writer w;
  w.bytes(encode_inventory(s.inventory));
  for (const Authority* a : {&s.ca, &s.agent_ca}) w.text(a->pem).text(a->links).text(a->earlier);
  return w.take();
}

Result<Standing> decode_standing(BytesView bytes) {
  Reader r(bytes);
  CAIP_TRY(inventory, decode_inventory(r.bytes()));
  Standing out{.inventory = std::move(inventory), .ca = {}, .agent_ca = {}};
  for (Authority* a : {&out.ca, &out.agent_ca})
    for (std::string* text : {&a->pem, &a->links, &a->earlier}) *text = r.text();
  CAIP_CHECKED(r.finish());
  return out;
}

}  // namespace caip::secrets
