#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "agent/config.h"
#include "agent/helper.h"
#include "wire.pb.h"

namespace caip::agent {
namespace {

namespace fs = std::filesystem;
constexpr std::int64_t kKeepSeconds = 24 * 3600;

// opr_….<nonce>.<digest>
struct FileName {
  std::string order, nonce;
  Digest digest{};
};

std::optional<FileName> parse_name(const std::string& name) {
  auto first = name.find('.');
  auto second = name.find('.', first == std::string::npos ? first : first + 1);
  if (second == std::string::npos) return std::nullopt;
  FileName out{.order = name.substr(0, first), .nonce = name.substr(first + 1, second - first - 1)};
  auto digest = from_hex(std::string_view(name).substr(second + 1));
  if (!digest || digest->size() != out.digest.size() || !OperationId::parse(out.order)) return std::nullopt;
  std::ranges::copy(*digest, out.digest.begin());
  return out;
}

std::int64_t changed_at(const std::string& path) {
  struct stat s {};
  return ::stat(path.c_str(), &s) == 0 ? s.st_mtim.tv_sec : 0;
}

}  // namespace

Result<OrderBook> OrderBook::open(std::string dir) {
  std::error_code error;
  fs::create_directories(dir, error);
  if (error || ::chmod(dir.c_str(), 0700) != 0) return fail(Code::internal, dir + ": cannot be made");
  OrderBook book;
  book.dir_ = std::move(dir);
  for (const auto& entry : fs::directory_iterator(book.dir_, error)) {
    auto name = parse_name(entry.path().filename().string());
    if (!name) continue;
    // A file that cannot be read must not make an order run twice: no book, no orders.
    CAIP_TRY(result, read_file(entry.path().string()));
    book.used_.insert(name->order);
    book.used_.insert(name->nonce);
    book.records_[name->digest] = Record{.order = name->order, .nonce = name->nonce, .file = entry.path().string(),
                                         .result = std::move(result), .at = changed_at(entry.path().string())};
  }
  if (error) return fail(Code::internal, book.dir_ + ": " + error.message());
  return book;
}

std::optional<wire::OrderResult> OrderBook::find(const Digest& digest) const {
  auto found = records_.find(digest);
  if (found == records_.end()) return std::nullopt;
  wire::OrderResult out;
  if (found->second.result.empty() || !out.ParseFromString(found->second.result)) {
    out.Clear();
    out.set_order(found->second.order);
    out.set_error("the helper was stopped while this order ran; what came of it is not known, and it was not run again");
  }
  return out;
}

Result<void> OrderBook::begin(const OperationId& id, const std::string& nonce, const Digest& digest) {
  if (used_.contains(id.str()) || used_.contains(nonce) || records_.contains(digest))
    return fail(Code::key_reused, "this order was used before");
  std::string file = dir_ + "/" + id.str() + "." + nonce + "." + hex(digest);
  CAIP_CHECKED(write_file(file, "", 0600));
  used_.insert(id.str());
  used_.insert(nonce);
  records_[digest] = Record{.order = id.str(), .nonce = nonce, .file = file, .result = {}, .at = changed_at(file)};
  return {};
}

Result<void> OrderBook::end(const Digest& digest, const wire::OrderResult& result) {
  auto found = records_.find(digest);
  if (found == records_.end()) return fail(Code::internal, "an order that was not begun");
  found->second.result = result.SerializeAsString();
  return write_file(found->second.file, found->second.result, 0600);
}

void OrderBook::prune(std::int64_t now) {
  std::erase_if(records_, [&](const auto& item) {
    const Record& r = item.second;
    if (now - r.at < kKeepSeconds) return false;
    std::error_code ignored;
    fs::remove(r.file, ignored);
    used_.erase(r.order);
    used_.erase(r.nonce);
    return true;
  });
}

}  // namespace caip::agent
