"""A clock that is set back while the control plane is down: what is off until a date does not get longer by it."""
import subprocess

import pytest

from support import Control, entries

SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t clock, struct timespec *out) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int done = real(clock, out);
  const char *offset = getenv("TEST_CLOCK_OFFSET");
  if (done == 0 && clock == CLOCK_REALTIME && offset) out->tv_sec += atol(offset);
  return done;
}
"""


@pytest.fixture
def set_clock(tmp_path, monkeypatch):
    """Of the control plane that is started next, so many seconds off."""
    source, shim = tmp_path / "clock.c", tmp_path / "clock.so"
    source.write_text(SHIM)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", shim, source, "-ldl"], check=True, capture_output=True)

    def set_to(seconds):
        monkeypatch.setenv("LD_PRELOAD", str(shim))
        monkeypatch.setenv("TEST_CLOCK_OFFSET", str(seconds))
    return set_to


def protection(api):
    return api.get("/ai").json()["production_protection"]


@pytest.mark.parametrize("seconds, stays_off", [(2500, True), (600, False)])
def test_production_is_protected_again_where_the_clock_was_set_back_while_it_was_down(tmp_path, set_clock, seconds, stays_off):
    """Both times lie within the window; the second one half an hour before what the log has seen already."""
    control = Control(tmp_path).start()
    try:
        control.set_up()
        assert control.sign_in().post("/ai/unprotect-production", {"minutes": 60, "reason": "a repair"}).json()["production_protection"]["on"] is False
        control.stop()
        set_clock(2400)
        control.start()  # stands in the log
        control.stop()
        set_clock(seconds)
        control.start()
        owner = control.sign_in()
        assert protection(owner)["on"] is not stays_off  # at once: before anybody is let in
        if stays_off:
            return
        assert entries(owner, "ai.protect_production_on_time")[0]["entry"]["result"] == "completed"
        told = [n["text"] for n in owner.data("/notifications/inbox") if n["event"] == "production.protection"]
        assert "the clock was set back" in told[0]
    finally:
        control.stop()
