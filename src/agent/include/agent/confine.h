// agent/confine.h: how the network half gives up what it does not need. Each step is checked
// afterwards; any failure ends the process.
#pragma once
#include <string>

#include "base/result.h"

namespace caip::agent {

// To `user`, no groups, no capabilities, no new privileges, not dumpable.
Result<void> drop_privileges(const std::string& user);
// Sockets, files to read, time and memory; no exec, no new processes, nothing else.
Result<void> confine_syscalls();
// What every half does first: no core files, files for the owner only.
void harden_process();

}  // namespace caip::agent
