// Nobody reads a secret for a reason of their own.
// rooms: base model crypto secrets
// expect: cannot convert|no viable conversion|could not convert
#include "secrets/keeper.h"

using namespace caip;

Result<secrets::Items> read(secrets::Keeper& keeper, const OrgId& org, secrets::Items items) {
#ifdef MUST_FAIL
  return keeper.open(org, "because", std::move(items));
#else
  return keeper.open(org, SecretUse::notify, std::move(items));
#endif
}
