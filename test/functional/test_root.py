"""tools/root on a host that is Debian 13 already, which these tests run on: what is missing of the list is
installed with apt-get, nothing else is, and without it nothing runs. dpkg-query and apt-get are stand-ins
that take down what they were asked. And tools/make-root, which makes one elsewhere, with a stand-in for mmdebstrap
(with the real one it is made by whoever runs `make` there for the first time)."""
import os
import subprocess

import pytest

from support import REPO

PACKAGES = sorted(line for line in (REPO / "tools" / "packages.txt").read_text().splitlines() if line.strip() and not line.startswith("#"))


class Host:
    def __init__(self, folder, installed, apt="exit 0"):
        self.bin, self.asked = folder / "bin", folder / "asked"
        self.bin.mkdir()
        lines = "".join(f"ii  {package}\n" for package in installed) + "rc  removed-once\n"
        self.program("dpkg-query", f"cat <<'END'\n{lines}END\n")
        self.program("apt-get", f'echo "$DEBIAN_FRONTEND apt-get $*" >>{self.asked}\n{apt}\n')

    def program(self, name, text):
        (self.bin / name).write_text("#!/bin/sh\n" + text)
        (self.bin / name).chmod(0o755)

    def root(self, *command, **more):
        env = {k: v for k, v in os.environ.items() if not k.startswith("CAIP_")}
        return subprocess.run([REPO / "tools" / "root", *command], capture_output=True, text=True, timeout=60, check=False,
                              env={**env, "PATH": f"{self.bin}:{env['PATH']}", **more})

    def calls(self):
        return [line.strip() for line in self.asked.read_text().splitlines()] if self.asked.exists() else []


def test_only_what_is_missing_is_installed_and_then_the_command_runs(tmp_path):
    missing = [PACKAGES[0], PACKAGES[-1]]
    host = Host(tmp_path, PACKAGES[1:-1])
    done = host.root("echo", "it", "ran here")
    assert (done.returncode, done.stdout) == (0, "it ran here\n"), done
    assert host.calls() == ["apt-get update -q", "noninteractive apt-get install -y --no-install-recommends " + " ".join(missing)]
    assert done.stderr.startswith("Installing Debian packages: " + " ".join(missing))  # who waits knows for what


def test_with_everything_there_nothing_is_asked_and_the_exit_code_is_the_commands(tmp_path):
    host = Host(tmp_path, PACKAGES)
    done = host.root("sh", "-c", "exit 7")
    assert (done.returncode, done.stderr, host.calls()) == (7, "", [])


@pytest.mark.parametrize("step", ["update", "install"])
def test_when_apt_fails_the_command_does_not_run(tmp_path, step):
    host = Host(tmp_path, PACKAGES[1:], apt=f'[ "$1" != {step} ] || exit 100')
    done = host.root("echo", "it ran")
    assert done.returncode == 100 and "it ran" not in done.stdout, done


def test_inside_the_root_that_was_made_nothing_is_looked_at(tmp_path):
    host = Host(tmp_path, [])
    assert host.root("echo", "it ran", CAIP_IN_ROOT="1").stdout == "it ran\n" and host.calls() == []


class Elsewhere:
    """tools/make-root on a host that is not Debian 13, with a stand-in for mmdebstrap."""

    def __init__(self, folder, mmdebstrap):
        self.cache, self.bin, self.asked = folder / "cache", folder / "bin", folder / "asked"
        self.list = folder / "packages.txt"
        self.list.write_text("# what is needed\nnginx\n\ngit\n")
        self.bin.mkdir()
        (self.bin / "mmdebstrap").write_text(f'#!/bin/sh\nprintf "%s " "$@" >>{self.asked}; echo >>{self.asked}\nfor last; do :; done\n{mmdebstrap}\n')
        (self.bin / "mmdebstrap").chmod(0o755)

    def make(self):
        env = {"PATH": f"{self.bin}:{os.environ['PATH']}", "HOME": "/root", "CAIP_CACHE": str(self.cache)}
        return subprocess.run([REPO / "tools" / "make-root", self.list, "root"], capture_output=True, text=True, timeout=60, env=env, check=False)

    def trees(self):
        return sorted(p.name for p in self.cache.glob("root-*") if p.is_dir())


def test_a_root_is_made_once_in_the_cache_alone_with_progress(tmp_path):
    host = Elsewhere(tmp_path, 'mkdir -p "$last/etc"; sleep 6')  # long enough for a line of progress
    done = host.make()
    root = done.stdout.strip()
    assert done.returncode == 0 and root.startswith(str(host.cache)), done
    assert "Making a Debian 13 root" in done.stderr and " MB" in done.stderr, done.stderr
    (asked,) = host.asked.read_text().splitlines()
    assert "--include=nginx,git" in asked and "trixie" in asked and asked.strip().endswith(f"{root}.new"), asked  # nothing else is touched
    assert host.make().stdout.strip() == root and len(host.asked.read_text().splitlines()) == 1
    host.list.write_text("nginx\ncurl\n")
    assert host.make().stdout.strip() != root and len(host.trees()) == 2  # another list, another root


def test_a_root_that_failed_or_was_interrupted_is_none(tmp_path):
    host = Elsewhere(tmp_path, 'mkdir -p "$last"; echo "E: no such package" ; exit 25')
    done = host.make()
    assert done.returncode == 1 and "E: no such package" in done.stderr and not done.stdout, done
    assert [t for t in host.trees() if not t.endswith(".new")] == []
    (host.bin / "mmdebstrap").write_text('#!/bin/sh\nfor last; do :; done\nmkdir -p "$last/etc"\n')
    assert host.make().returncode == 0 and [t for t in host.trees() if t.endswith(".new")] == []
