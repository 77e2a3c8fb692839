// caip-pilotd [KEY_FILE]: one turn of the pilot. caipd starts it with a socket as standard input. It
// has no database and no keys of ours; it may use the network to reach the AI provider, and read the
// file with the provider's key.
#include "base/log.h"
#include "pilot/confine.h"
#include "pilot/serve.h"

int main(int argc, char** argv) {
  if (auto done = caip::pilot::confine(argc > 1 ? argv[1] : ""); !done) {
    caip::log::error("the pilot does not start", {{"why", done.error().detail}});
    return 1;
  }
  return caip::pilot::serve_turn(0);
}
