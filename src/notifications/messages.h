// What each service is sent. Private. Texts from outside are escaped as the service wants it, and
// can neither mention people nor carry mark-up.
#pragma once
#include <string>
#include <vector>

#include "notifications/notice.h"
#include "notifications/target.h"
#include "outbound/client.h"

namespace caip::notifications {

struct Places {  // addresses that the configuration knows
  std::string telegram_api = "https://api.telegram.org";
  std::string public_url;  // links in messages begin with it
};

struct Sending {
  const Notice& notice;
  const DeliveryId& delivery;  // the same at every try: receivers know a repeated message by it
  const Target& target;
  const std::vector<SecretBytes>& secrets;  // the channel's, and a webhook's previous one
  const Places& places;
  std::string code;  // of a verification
  Instant now;
};

Result<outbound::Request> request_for(const Sending&);
Result<outbound::Letter> letter_for(const Sending&);

struct MailHead {
  std::string from, to;
  std::string subject;  // ASCII, a literal of ours
  Instant created;
  std::string id;  // the same at every try
};
std::string mail_message(const MailHead&, const std::string& body);  // RFC 5322, the body in base64

std::string opened(const SecretBytes&);  // into a Request or Letter, which wipes it

}  // namespace caip::notifications
