// pilot/confine.h: what caip-pilotd gives up before it reads a word. What takes over the parser of a
// model's answer then finds no file but those that name resolution and TLS need, cannot start or
// look into another process, and ends with its turn.
#pragma once
#include <string>

#include "base/result.h"

namespace caip::pilot {

// Steps, in this order: no core, no new privileges, dies with its parent; limits; Landlock (reads
// below the system's own folders and `key_file`, writes nowhere); seccomp, an allow-list, last.
// An error means: do not serve. `key_file` may be empty.
Result<void> confine(const std::string& key_file);

}  // namespace caip::pilot
