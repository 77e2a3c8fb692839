// cursors.h: a Place as the opaque text of `next_cursor`. Authenticated under a key of this
// process and bound to the list and the person, so that a cursor is nothing to build or to lend;
// after a restart a list is begun anew.
#pragma once
#include <string>
#include <string_view>

#include "base/page.h"
#include "base/result.h"
#include "crypto/secret.h"

namespace caip::web {

class Cursors {  // thread-safe
 public:
  Cursors();
  std::string seal(const Place&, std::string_view scope) const;
  Result<Place> open(std::string_view cursor, std::string_view scope) const;  // Code::malformed

 private:
  std::string tag(std::string_view place, std::string_view scope) const;
  SecretBytes key_;
};

}  // namespace caip::web
