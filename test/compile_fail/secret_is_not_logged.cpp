// A secret has no text.
// rooms: base crypto
// expect: use of deleted function .*operator<<
#include <iostream>
#include <string>
#include "crypto/secret.h"

void show(const caip::SecretBytes& secret, const std::string& plain) {
#ifdef MUST_FAIL
  (void)plain;
  std::cout << secret;
#else
  (void)secret;
  std::cout << plain;
#endif
}
