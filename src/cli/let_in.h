// let_in.h: the session that a browser on this computer gave us, in our folder.
#pragma once
#include "base/json.h"
#include "base/result.h"
#include "browser.h"

namespace caip::cli {

class Api;
struct Line;

// Waits for the browser (five minutes), is let in, and keeps that session in place of the one that was here, which ends.
// Answers what a sign-in does, without its secrets. Errors: as browser_code; bad_credentials.
Result<json::object> let_in_by_browser(Api&, const Line&, Errand);

}  // namespace caip::cli
