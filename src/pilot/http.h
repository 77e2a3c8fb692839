// http.h: reaching an AI provider: libcurl, no redirects, no proxy, bounded, to public addresses and what the configuration allows
// besides, checked on the address that is connected to; tried again only while nothing of the answer came.
#pragma once
#include "wire.h"

namespace caip::pilot {

// `key`: what was sent for this turn, when provider.key_follows.
Result<Turn> ask(const TurnRequest&, const OnText&, const std::string& key);
// The names of the models that the provider has for this key: that it can be reached and takes the key, too.
Result<std::vector<std::string>> models(const Provider&, const std::string& key);

}  // namespace caip::pilot
