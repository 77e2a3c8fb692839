// A proof bundle: lines of JSON. The first says what log, which checkpoint and which entries; then
// every leaf of the tree, an entry as {"e":text,"i":index}, and what stands for entries that are
// not shown as complete nodes {"h":hex,"i":first leaf,"l":level}; the last is {"end":size}.
#include <algorithm>

#include "chain.h"
#include "history.h"
#include "note.h"
#include "tree.h"

namespace caip::verifier {
namespace {

class BundleCheck {
 public:
  explicit BundleCheck(const std::optional<std::string>& kept) : kept_(kept) {}

  Result<Report> run(std::string_view text) {
    const auto first = text.find('\n');
    const auto head = first == text.npos ? std::nullopt : Flat::read(text.substr(0, first));
    if (!head || head->get("type") != "caip-audit-bundle") return fail(Code::malformed, "this is not a proof bundle");
    text.remove_prefix(first + 1);
    if (!begin(*head) || !keys(*head, text) || !kept()) return std::move(report_);
    bool ended = false;
    while (!text.empty() && !report_.broken) {
      const auto end = text.find('\n');
      const auto line = end == text.npos ? std::nullopt : Flat::read(text.substr(0, end));
      if (ended || !line) return found({}, "a line after leaf " + std::to_string(tree_.size()) + " is not one of a bundle");
      text.remove_prefix(end + 1);
      if (line->number("end")) ended = true;
      else if (!line->get("next")) take(*line);  // where a piece of it went on
    }
    if (!report_.broken && !ended) found(tree_.size(), "the bundle was cut: it ends after leaf " + std::to_string(tree_.size()));
    finish();
    return std::move(report_);
  }

 private:
  Report found(std::optional<std::uint64_t> index, std::string what) {
    if (!report_.broken) report_.broken = Finding{index, std::move(what)};
    return report_;
  }

  bool begin(const Flat& head) {
    const auto note = head.get("checkpoint"), key = head.get("log_key");
    checkpoint_ = read_checkpoint(note.value_or(""));
    const auto log = read_vkey(key.value_or(""));
    if (!checkpoint_ || !log || log->type != KeyType::ed25519 || check(*checkpoint_, *log).is != Signed::yes) {
      found({}, "the bundle's checkpoint is not signed by the log's key");
      return false;
    }
    org_ = head.get("org").value_or("");
    unowned_ = head.get("unowned") == "true";
    filtered_ = head.get("filter").value_or("{}") != "{}";
    closing_ = head.number("export");
    report_.size = checkpoint_->size;
    report_.checkpoint = checkpoint_->text;
    if (note) report_.checkpoint = *note;
    return true;
  }

  // How the keys of the head came to be those of this log: lines {"s":statement}, right behind it.
  bool keys(const Flat& head, std::string_view& text) {
    const Key log = *read_vkey(head.get("log_key").value_or(""));
    const auto second = head.get("cosign_key").value_or("");
    std::optional<Key> cosigner = second.empty() ? std::nullopt : read_vkey(second);
    if (!second.empty() && (!cosigner || check(*checkpoint_, *cosigner).is != Signed::yes)) {
      found({}, "the bundle's checkpoint lacks the log's second signature");
      return false;
    }
    std::optional<Chain> seconds;
    for (auto end = text.find('\n'); text.starts_with("{\"s\":") && end != text.npos; end = text.find('\n')) {
      const auto line = Flat::read(text.substr(0, end));
      const auto h = line ? read_handover(line->get("s").value_or("")) : std::nullopt;
      if (!h || !follow(h->kind == "checkpoint" ? chain_ : seconds, h->kind == "checkpoint" ? log : cosigner.value_or(Key{}), *h)) {
        found({}, "the bundle's keys do not come from one another");
        return false;
      }
      text.remove_prefix(end + 1);
    }
    if (!chain_) chain_.emplace(log);
    if (chain_->at(checkpoint_->size).bytes == log.bytes && (!seconds || (cosigner && seconds->has(text_of(cosigner->bytes))))) return true;
    found({}, "the bundle's keys do not come from one another");
    return false;
  }

  // The first one says which key the chain began with.
  static bool follow(std::optional<Chain>& chain, const Key& like, const Handover& h) {
    if (!chain) chain.emplace(Key{like.name, like.type, h.old_key});
    return h.kind != "order" && chain->follow(h);
  }

  bool kept() {
    if (!kept_) return true;
    const auto kept = read_checkpoint(*kept_);
    if (!kept || check(*kept, chain_->at(kept->size)).is != Signed::yes) {
      found({}, "the given checkpoint is not signed by the key of this bundle's log: it is another log, or was signed anew");
      return false;
    }
    kept_checkpoint_ = kept;
    report_.anchored = true;
    return true;
  }

  void take(const Flat& line) {
    const auto index = line.number("i");
    if (!index || *index != tree_.size()) return void(found(tree_.size(), entry_name(tree_.size()) + " is not where it belongs"));
    if (kept_checkpoint_ && tree_.size() == kept_checkpoint_->size) kept_root_ = tree_.root();
    if (const auto body = line.get("e")) {
      const auto e = scan_entry(*body);
      if (!e) return void(found(index, entry_name(*index) + ": it is not what the log writes"));
      if (e->org != org_ && !(e->org.empty() && unowned_)) return void(found(index, entry_name(*index) + ": of another organisation"));
      if (!filtered_) history_.see(*index, *e);
      if (closing_ == *index) closed_ = e->action == "log.export" && e->org == org_;
      tree_.push(0, leaf_of(view(*body)));
      ++report_.entries;
      return;
    }
    const auto level = line.number("l");
    const auto hash = from_hex(line.get("h").value_or(""));
    Digest d{};
    if (!level || *level > 62 || !hash || hash->size() != d.size()) return void(found(index, "leaf " + std::to_string(*index) + ": not a node of the tree"));
    std::ranges::copy(*hash, d.begin());
    // A kept checkpoint may stand inside a node that is not shown; then it cannot be compared here.
    if (kept_checkpoint_ && kept_checkpoint_->size > tree_.size() && kept_checkpoint_->size < tree_.size() + (std::uint64_t{1} << *level)) hidden_ = true;
    if (!tree_.push(static_cast<unsigned>(*level), d)) found(index, "leaf " + std::to_string(*index) + ": a node that cannot stand there");
  }

  void finish() {
    report_.root = hex(tree_.root());
    if (kept_checkpoint_ && tree_.size() == kept_checkpoint_->size) kept_root_ = tree_.root();
    if (report_.broken) return;
    if (tree_.size() != checkpoint_->size || tree_.root() != checkpoint_->root)
      return void(found({}, "the entries are not those that the signed checkpoint is over: one was changed, dropped, added or moved"));
    if (!filtered_) {
      history_.finish();
      if (history_.broken()) return void(report_.broken = history_.broken());
      if (!closed_) return void(found(closing_, "the entry of this export is not in it, or is another"));
    }
    if (kept_checkpoint_) {
      if (kept_checkpoint_->size > tree_.size()) return void(found(tree_.size(), entry_name(tree_.size()) + " is missing: the given checkpoint covers " + std::to_string(kept_checkpoint_->size) + " entries"));
      if (hidden_) return void(found({}, "the given checkpoint ends inside what this bundle does not show: export without filters"));
      if (kept_root_ != kept_checkpoint_->root) return void(found({}, "the first " + std::to_string(kept_checkpoint_->size) + " entries are not what the given checkpoint says: the log was rewritten"));
    }
    report_.complete = filtered_ ? "these entries are in the log; whether others match the filter too is not proven"
                                 : "every entry of this organisation up to the export at entry " + std::to_string(closing_.value_or(0));
  }

  const std::optional<std::string>& kept_;
  std::optional<Chain> chain_;
  std::optional<Checkpoint> checkpoint_, kept_checkpoint_;
  std::optional<Digest> kept_root_;
  std::optional<std::uint64_t> closing_;
  std::string org_;
  bool unowned_ = false, filtered_ = false, closed_ = false, hidden_ = false;
  Stack tree_;
  History history_;
  Report report_;
};

}  // namespace

Result<Report> verify_bundle(std::string_view bundle, const std::optional<std::string>& kept) { return BundleCheck(kept).run(bundle); }

}  // namespace caip::verifier
