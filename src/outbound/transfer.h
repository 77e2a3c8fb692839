// One libcurl transfer under the rules. Private.
#pragma once
#include <curl/curl.h>

#include <memory>

#include "outbound/client.h"

namespace caip::outbound {

struct Closer {
  void operator()(CURL* c) const { curl_easy_cleanup(c); }
  void operator()(CURLU* u) const { curl_url_cleanup(u); }
  void operator()(curl_slist* l) const { curl_slist_free_all(l); }
  void operator()(char* text) const { curl_free(text); }
};
template <class T>
using Owned = std::unique_ptr<T, Closer>;

struct Transfer {
  std::function<bool(const Address&)> may_connect;
  std::stop_token stop;
  Limits limits;
  std::string to_send = {};  // of a letter
  std::size_t sent = 0;
  Response response = {};
  std::size_t header_bytes = 0;
  bool refused = false;    // an address was
  bool connected = false;  // to an address that may be
  bool too_large = false;
  bool head_over = false;  // all headers of the answer are here
};

void add(Owned<curl_slist>&, const std::string& line);
// All that HTTP and mail have in common: the check at the socket, limits, TLS, no proxy.
void configure(CURL*, const Rules&, Transfer&);
Result<void> perform(CURL*, Transfer&);

}  // namespace caip::outbound
