// caip_keeper_seals.h: the words after `caip-keeper`: where the keys and their seals are, and the
// offline commands on the seals.
#pragma once
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "secrets/serve.h"

namespace caip::main {

struct KeeperOptions {
  std::string folder;
  secrets::SealFiles files;
  std::string new_file;  // seal add, seal replace
};

// --keys FOLDER [--key-file F] [--passphrase-file F] [--credential F] [--new F]; nothing else, each once.
inline std::optional<KeeperOptions> keeper_options(const std::vector<std::string>& words) {
  KeeperOptions o;
  for (std::size_t i = 0; i < words.size(); i += 2) {
    std::string* to = words[i] == "--keys" ? &o.folder : words[i] == "--key-file" ? &o.files.key_file
        : words[i] == "--passphrase-file" ? &o.files.passphrase_file : words[i] == "--credential" ? &o.files.credential_file
        : words[i] == "--new" ? &o.new_file : nullptr;
    if (to == nullptr || i + 1 == words.size() || !to->empty() || words[i + 1].empty()) return std::nullopt;
    *to = words[i + 1];
  }
  if (o.folder.empty()) return std::nullopt;
  return o;
}

constexpr const char* kSealUsage = R"(The seals of the root key in DATA/keys; any one of them opens. caipd must be stopped.

  caip-keeper seal list    --keys DIR
  caip-keeper seal add     KIND --new FILE --keys DIR [OPEN]   KIND: key-file, passphrase, credential
  caip-keeper seal remove  ID --keys DIR [OPEN]
  caip-keeper seal replace ID --new FILE --keys DIR [OPEN]

OPEN says what opens an existing seal: --key-file F (DIR/root.key), --passphrase-file F (its first
line), --credential F. A new key file is made when FILE is missing; a passphrase is FILE's first line.
remove and replace make a new root key too, so that the old seal opens nothing that is wrapped later.
)";

inline int seal_failed(const Error& e) {
  std::fprintf(stderr, "caip-keeper: %s\n", e.detail.c_str());
  return e.code == Code::not_found ? 3 : e.code == Code::conflict ? 5 : 1;
}

inline void print_seal(const secrets::SealInfo& s) { std::printf("%s  %-10s  %s\n", s.id.c_str(), s.kind.c_str(), s.created.str().c_str()); }

inline int seal_list(const KeeperOptions& o) {
  const auto seals = secrets::list_seals(o.folder);
  if (!seals) return seal_failed(seals.error());
  for (const auto& s : *seals) print_seal(s);
  return 0;
}

inline int seal_changed(const Result<secrets::SealInfo>& seal) {
  if (!seal) return seal_failed(seal.error());
  print_seal(*seal);
  return 0;
}

inline int seal_command(std::vector<std::string> words, const Clock& clock) {
  const std::string verb = words.empty() ? "" : words.front();
  const bool listing = verb == "list";
  const std::size_t from = listing ? 1 : 2;
  const auto o = words.size() < from ? std::nullopt : keeper_options({words.begin() + static_cast<std::ptrdiff_t>(from), words.end()});
  const bool wants_new = verb == "add" || verb == "replace";
  if (!o || (!listing && !wants_new && verb != "remove") || wants_new == o->new_file.empty()) {
    std::fputs(kSealUsage, stderr);
    return 2;
  }
  if (listing) return seal_list(*o);
  if (verb == "add") return seal_changed(secrets::add_seal(o->folder, clock, o->files, words[1], o->new_file));
  if (verb == "replace") return seal_changed(secrets::replace_seal(o->folder, clock, o->files, words[1], o->new_file));
  const auto removed = secrets::remove_seal(o->folder, clock, o->files, words[1]);
  return removed ? 0 : seal_failed(removed.error());
}

}  // namespace caip::main
