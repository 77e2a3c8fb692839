// contact.h: a server that one is not signed in to, yet or any more. Private.
#pragma once
#include "api.h"

namespace caip::cli {

// The server of --url, trusted on first use as --ca says, or that of the last sign-in.
Result<Api> first_contact(const Line&);
Result<std::string> email_for(const Line&);  // --email, or typed

}  // namespace caip::cli
