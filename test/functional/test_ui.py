"""The pages in a real browser against a real caipd with a real server, with axe-core. What is checked stands in ui/test/run.mjs."""
import os
import subprocess

import pytest

from support import OWNER, REPO

RUN = REPO / "ui" / "test" / "run.mjs"


@pytest.mark.skipif(not RUN.exists(), reason="no user interface")
def test_pages_in_chromium(world):
    world.machine.run(["systemctl", "stop", "nginx"])  # what the Pilot is asked about
    done = subprocess.run(["node", RUN, world.control.url], cwd=REPO / "ui", capture_output=True, text=True, timeout=280, check=False,
                          env={**os.environ, "CAIP_EMAIL": OWNER[0], "CAIP_PASSWORD": OWNER[1]})
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
