#include "model.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "wire.h"
#include "world.h"

namespace caip::hostile {
namespace {

// The key as caip-pilotd is given it.
Result<std::string> key_of(const pilot::SendKey& send) {
  if (!send) return std::string();
  std::array<int, 2> pair{-1, -1};
  CAIP_ASSERT(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) == 0);
  const auto sent = send(pair[0]);
  std::array<char, 512> buffer{};
  const ssize_t n = sent ? ::recv(pair[1], buffer.data(), buffer.size(), 0) : 0;
  ::close(pair[0]);
  ::close(pair[1]);
  if (!sent) return std::unexpected(sent.error());
  std::string key(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
  while (key.ends_with('\n')) key.pop_back();
  return key;
}

// The canary, whatever it is written in.
const std::vector<std::string>& canaries() {
  static const std::vector<std::string> all = [] {
    const std::string c(kCanary);
    std::vector<std::string> out{c, hex(view(c)), "Y25yeTd4N", "Nucnk3eD", "jbnJ5N3g1"};  // base64 at its three places
    return out;
  }();
  return all;
}

// Each call of the model's has one result, right behind it.
std::string unanswered(std::span<const pilot::Message> messages) {
  for (std::size_t i = 0; i < messages.size(); ++i)
    for (std::size_t c = 0; c < messages[i].calls.size(); ++c) {
      const std::size_t at = i + 1 + c;
      if (at >= messages.size() || messages[at].speaker != pilot::Speaker::tool || messages[at].call_id != messages[i].calls[c].id) return "a call without its result: " + messages[i].calls[c].name;
      if (messages[at].text.empty()) return "an empty result";
    }
  return {};
}

}  // namespace

void Model::play(Script script) {
  script_ = std::move(script);
  turns_ = 0;
}

void Model::look(const std::string& body, std::span<const pilot::Message> messages, const std::string& key) {
  ++bodies_;
  if (auto why = unanswered(messages); !why.empty()) oracle_->wrong(why);
  if (auto why = unpaired(script_.vendor, body); !why.empty()) oracle_->wrong("a request to the provider: " + why);
  for (const auto& c : canaries())
    if (body.contains(c)) oracle_->wrong("a secret is in what the provider is sent (" + c + ")");
  if (!key.empty() && body.contains(key)) oracle_->wrong("the provider's key is in the body");
  for (const auto& t : never_())
    if (body.contains(t)) oracle_->wrong("a credential is in what the provider is sent");
  std::string lower = body;
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  if (lower.contains(kUnseen)) oracle_->wrong("something that does not exist for it is in what the provider is sent");
}

Result<pilot::Turn> Model::turn(std::span<const pilot::Message> messages, const pilot::Terms& terms) {
  ++speaking_;
  auto said = speak(messages, terms);
  --speaking_;
  return said;
}

Result<pilot::Turn> Model::speak(std::span<const pilot::Message> messages, const pilot::Terms& terms) {
  const std::size_t turn = turns_++;
  if (terms.stop.stop_requested()) return fail(Code::unavailable, "the pilot was stopped");
  Dice dice(script_.seed * 1000 + turn);
  CAIP_TRY(key, key_of(terms.send_key));
  if (!key.empty() && !key.starts_with(kCanary)) oracle_->wrong("another key than the organisation's");
  auto request = pilot::decode_request(pilot::encode_request(terms.provider.value_or(pilot::Provider{.base_url = "https://x.example", .model = "m", .api_key_file = {}}), messages, terms.offer));
  if (!request) {
    oracle_->wrong("what one half writes the other does not read: " + request.error().detail);
    return std::unexpected(request.error());
  }
  look(pilot::dialect_of(script_.vendor).body(*request), messages, key);
  std::string stream = stream_of(script_.vendor, script_.say(turn, messages), dice);
  if (script_.damage != 0 && dice.one_in(script_.damage)) stream = damaged(std::move(stream), dice);
  auto said = read(script_.vendor, stream, terms.on_text, dice);
  if (script_.while_it_speaks) script_.while_it_speaks(turn);
  if (!said) return std::unexpected(said.error());
  CAIP_TRY(event, pilot::decode_event(pilot::encode_event({.delta = {}, .done = *std::move(said), .error = {}})));
  return *std::move(event.done);  // also after a stop: a process that hangs is not asked
}

}  // namespace caip::hostile
