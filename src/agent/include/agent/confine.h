// agent/confine.h: how both halves give up what they do not need. Each step is checked
// afterwards; any failure ends the process.
#pragma once
#include <string>

#include "base/result.h"

namespace caip::agent {

// To `user`, no groups, no capabilities, no new privileges, not dumpable.
Result<void> drop_privileges(const std::string& user);
// The root half stays uid 0, because that is what systemd and the journal go by, and keeps no capability but the one that
// gives a file to its user (CAP_CHOWN), if it had that.
Result<void> drop_capabilities();
// Sockets, files to read, time and memory; no exec, no new processes, nothing else.
Result<void> confine_syscalls();
// What every half does first: no core files, files for the owner only.
void harden_process();

}  // namespace caip::agent
