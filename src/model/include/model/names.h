// model/names.h: names that are valid once they exist. Each has a private constructor, a
// parse() that may refuse, and a canonical text for which parse(x.str()) == x.
#pragma once
#include <compare>
#include <string>
#include <string_view>

#include "base/result.h"

namespace caip {

#define CAIP_NAME(Type)                                     \
  class Type {                                              \
   public:                                                  \
    static Result<Type> parse(std::string_view text);       \
    const std::string& str() const { return text_; }        \
    auto operator<=>(const Type&) const = default;          \
                                                            \
   private:                                                 \
    explicit Type(std::string text) : text_(std::move(text)) {} \
    std::string text_;                                      \
  }

// local@domain, ASCII, at most 254 bytes, lower-cased, no quoting, no control characters.
CAIP_NAME(Email);
// A systemd unit name as systemd.unit(5) has it, at most 255 bytes of [A-Za-z0-9:_.\@-], with a
// type suffix; no leading '-' or '.', no '/'. "nginx" is not one: callers add ".service".
CAIP_NAME(UnitName);
// What people call a server or an organisation: 1 to 64 bytes; a server's is a host label
// ([a-z0-9-], neither end a '-'), an organisation's is any visible text without hidden characters.
CAIP_NAME(ServerName);
CAIP_NAME(OrgName);
// A secret's name, which is no secret: an environment variable's or anything like it, 1 to 64 bytes of
// [A-Za-z0-9_.-], beginning with a letter or '_'.
CAIP_NAME(SecretName);
// A local account of a server that is not root's: 1 to 32 bytes of [a-z0-9_-], beginning with a letter or '_'.
CAIP_NAME(UnixUser);
// What people call a site: as a server's, a host label.
CAIP_NAME(SiteName);
// A name that a browser asks for, in ASCII and lower case: two or more host labels of [a-z0-9-], at most 253 bytes, the last of
// them no number. A label of "xn--…" is the written form of one in another script; no other has "--" in its third place.
CAIP_NAME(DomainName);
// What its maker calls an API token: 1 to 64 bytes of visible text, like an organisation's name.
CAIP_NAME(TokenName);

// What people call a notification channel: as an organisation's.
CAIP_NAME(ChannelName);

#undef CAIP_NAME

}  // namespace caip
