// secrets/confine.h: how caip-keeper hides and gives up what it does not need. False: it must not go on.
#pragma once

namespace caip::secrets {

// First: nobody may look into this process, it leaves no core file, and what it gives back to the allocator is
// overwritten (keys are wiped by their owners; this is for the copies libraries make).
bool hide();
// After the keys are read: talk over kKeeperFd, memory, time, randomness, end. Everything else fails with EPERM; that
// includes open, socket, connect, clone, execve, ptrace and memory that is code. Nothing under a sanitizer, whose own
// checks need such calls.
bool confine();

}  // namespace caip::secrets
