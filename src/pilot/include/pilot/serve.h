// pilot/serve.h: caip-pilotd's side. Reads one request line from `fd`, answers with event lines
// and returns the exit code.
#pragma once

namespace caip::pilot {

int serve_turn(int fd);

}  // namespace caip::pilot
