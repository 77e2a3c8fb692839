#include "agent/order_book.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "agent/config.h"
#include "channel/frame.h"
#include "fd.h"
#include "wire.pb.h"

namespace caip::agent {
namespace {

namespace fs = std::filesystem;
constexpr std::int64_t kKeepSeconds = 24 * 3600;
constexpr std::int64_t kSkewSeconds = std::chrono::duration_cast<std::chrono::seconds>(channel::kClockSkew).count();
constexpr Duration kPruneEach = std::chrono::seconds(60);
constexpr std::uint64_t kLetGo = 1;  // a serialized result is longer than that

std::int64_t seconds(Instant t) { return t.micros() / 1'000'000; }

struct FileName {
  OperationId order{IdBytes{}};
  IdBytes nonce{};
  Digest digest{};
  std::optional<std::int64_t> expires;
};

template <class Array>
bool read_hex(std::string_view text, Array& out) {
  auto bytes = from_hex(text);
  if (!bytes || bytes->size() != out.size()) return false;
  std::ranges::copy(*bytes, out.begin());
  return true;
}

// opr_….<nonce>.<digest>.<expires>; files of an earlier version lack the last part.
std::optional<FileName> parse_name(std::string_view name) {
  std::array<std::string_view, 4> part;
  std::size_t count = 0;
  for (; count < part.size() && !name.empty(); ++count) {
    const auto dot = name.find('.');
    part.at(count) = name.substr(0, dot);
    name = dot == std::string_view::npos ? std::string_view() : name.substr(dot + 1);
  }
  auto order = OperationId::parse(part[0]);
  FileName out;
  if (count < 3 || !name.empty() || !order || !read_hex(part[1], out.nonce) || !read_hex(part[2], out.digest)) return std::nullopt;
  out.order = *order;
  if (count == 3) return out;
  std::int64_t expires = 0;
  auto [end, error] = std::from_chars(part[3].data(), part[3].data() + part[3].size(), expires);
  if (error != std::errc() || end != part[3].data() + part[3].size()) return std::nullopt;
  out.expires = expires;
  return out;
}

Result<void> sync_folder(const fs::path& path) {
  Fd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) return fail(Code::internal, path.string() + ": cannot be synced");
  return {};
}

wire::OrderResult without_end(const OperationId& order, const char* why) {
  wire::OrderResult out;
  out.set_order(order.str());
  out.set_error(why);
  out.set_unknown(true);
  return out;
}

}  // namespace

std::string OrderBook::file_of(const Digest& digest, const Record& r) const {
  return dir_ + "/" + OperationId(r.order).str() + "." + hex(r.nonce) + "." + hex(digest) + "." + std::to_string(r.expires);
}

Result<OrderBook> OrderBook::open(std::string dir, Instant now) {
  std::error_code error;
  fs::create_directories(dir, error);
  if (error || ::chmod(dir.c_str(), 0700) != 0) return fail(Code::internal, dir + ": cannot be made");
  CAIP_CHECKED(sync_folder(fs::path(dir).parent_path()));
  OrderBook book;
  book.dir_ = std::move(dir);
  // No result is read here: how large or how broken one is keeps no order from being known.
  for (const auto& entry : fs::directory_iterator(book.dir_, error)) {
    const std::string path = entry.path().string();
    auto name = parse_name(entry.path().filename().string());
    struct stat s {};
    if (!name || ::stat(path.c_str(), &s) != 0) continue;
    Record r{.order = name->order.bytes(), .nonce = name->nonce, .expires = name->expires.value_or(s.st_mtim.tv_sec),
             .size = static_cast<std::uint64_t>(s.st_size)};
    if (!name->expires) {
      fs::rename(path, book.file_of(name->digest, r), error);
      if (error) return fail(Code::internal, path + ": " + error.message());
    }
    book.used_.insert(r.order);
    book.used_.insert(r.nonce);
    book.records_[name->digest] = r;
    if (r.size > kLetGo) book.kept_ += r.size;
  }
  if (error) return fail(Code::internal, book.dir_ + ": " + error.message());
  book.prune(now);
  book.fit();
  return book;
}

std::optional<wire::OrderResult> OrderBook::find(const Digest& digest) const {
  auto found = records_.find(digest);
  if (found == records_.end()) return std::nullopt;
  const OperationId order(found->second.order);
  if (found->second.size == 0)
    return without_end(order, "the helper was stopped while this order ran; what came of it is not known, and it was not run again");
  if (found->second.size == kLetGo) return without_end(order, "this order was dealt with before; its answer is not kept any more, and it was not run again");
  wire::OrderResult out;
  auto bytes = read_file(file_of(digest, found->second), channel::kMaxFrame);
  if (!bytes || !out.ParseFromString(*bytes))
    return without_end(order, "this order was dealt with before; its answer cannot be read any more, and it was not run again");
  return out;
}

Result<void> OrderBook::begin(const channel::Order& order, const Digest& digest) {
  Record r{.order = order.order.bytes(), .nonce = {}, .expires = seconds(order.expires)};
  if (!read_hex(order.nonce, r.nonce)) return fail(Code::malformed, "order: nonce");
  if (used_.contains(r.order) || used_.contains(r.nonce) || records_.contains(digest))
    return fail(Code::key_reused, "this order was used before");
  CAIP_CHECKED(write_file(file_of(digest, r), "", 0600));  // synced, and its folder too
  used_.insert(r.order);
  used_.insert(r.nonce);
  records_[digest] = r;
  return {};
}

Result<void> OrderBook::end(const Digest& digest, const wire::OrderResult& result) {
  auto found = records_.find(digest);
  if (found == records_.end()) return fail(Code::internal, "an order that was not begun");
  const std::string bytes = result.SerializeAsString();
  if (bytes.size() <= kLetGo) return fail(Code::internal, "a result without an order");
  CAIP_CHECKED(write_file(file_of(digest, found->second), bytes, 0600));
  found->second.size = bytes.size();
  kept_ += bytes.size();
  fit();
  return {};
}

// Cut to one byte: neither "not ended" nor a result. Not synced; what comes back after a crash is
// only the result.
void OrderBook::let_go(const Digest& digest, Record& r) {
  if (::truncate(file_of(digest, r).c_str(), kLetGo) != 0) return;
  kept_ -= r.size;
  r.size = kLetGo;
}

// The oldest results go first, a quarter at once, so that this is not done for each order.
void OrderBook::fit() {
  if (kept_ <= kMaxResultBytes) return;
  std::vector<std::pair<std::int64_t, Digest>> oldest;
  for (const auto& [digest, r] : records_)
    if (r.size > kLetGo) oldest.emplace_back(r.expires, digest);
  std::ranges::sort(oldest);
  for (const auto& [expires, digest] : oldest) {
    if (kept_ <= kMaxResultBytes / 4 * 3) return;
    let_go(digest, records_.at(digest));
  }
}

void OrderBook::prune(Instant now) {
  if (now < pruned_ + kPruneEach && now >= pruned_) return;
  pruned_ = now;
  const std::int64_t at = seconds(now);
  for (auto& [digest, r] : records_)
    if (r.size > kLetGo && at > r.expires + kSkewSeconds) let_go(digest, r);
  std::erase_if(records_, [&](const auto& item) {
    const Record& r = item.second;
    if (at <= r.expires + kKeepSeconds) return false;
    std::error_code ignored;
    fs::remove(file_of(item.first, r), ignored);
    used_.erase(r.order);
    used_.erase(r.nonce);
    return true;
  });
}

}  // namespace caip::agent
