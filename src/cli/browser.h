// browser.h: being let in by a browser on this computer, which comes back to a port of ours on the loopback interface with
// a code (RFC 8252, section 7.3; RFC 7636). The code goes to this computer alone: a link
// that a stranger sent from another one signs nobody in.
#pragma once
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace caip::cli {

// What the person goes there for. A new passkey ends their other sessions, ours too, and an account at another service is
// linked by going there and back: the page does it first, and lets us in (again) after.
enum class Errand : std::uint8_t { sign_in, add_passkey, link };

struct LetIn {
  std::string code;
  std::string verifier;  // of the challenge that the code was made for
};

// Says which page to open and waits for it, five minutes at most. `port`: 0 for any free one.
// Errors: unavailable (the port is taken), forbidden (denied in the browser), timeout.
Result<LetIn> browser_code(const std::string& url, std::uint16_t port, Errand);

// Eight digits of the challenge, which the terminal and the page both show: a page that belongs to somebody else's program,
// whose port this one could be on a shared computer, shows others.
std::string check_text(const Digest& challenge);

// What the page brings to the address "/callback?…": its code; forbidden when the person denied; nothing for what is not
// for us: another path, another state, a member that is there twice.
struct Brought {
  bool ours = false;
  Result<std::string> code = fail(Code::not_found);
};
Brought brought(std::string_view target, std::string_view state);

}  // namespace caip::cli
