// let_in.h: the session that a browser on this computer gives us.
#pragma once
#include "base/json.h"
#include "base/result.h"
#include "browser.h"

namespace caip::cli {

class Api;
struct Line;

// Waits for the browser (five minutes) and is let in: what a sign-in answers, with its secrets.
// Errors: as browser_code; bad_credentials.
Result<json::object> let_in_by_browser(Api&, const Line&, Errand);

}  // namespace caip::cli
