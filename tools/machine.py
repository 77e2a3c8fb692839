"""A throw-away Debian 13 server: real systemd in a systemd-nspawn container on a network of its
own, over a read-only tree; whatever it writes is in memory and gone when it stops. Used by
`make run` and by the functional tests. Runs as root inside tools/root."""
import fcntl
import os
import signal
import subprocess
import time

TOOLS = os.path.dirname(os.path.abspath(__file__))


def prepare():
    """What containers need from this private mount namespace: a unified cgroup tree (systemd
    257 refuses the old one, which some hosts still have)."""
    if not os.path.exists("/sys/fs/cgroup/cgroup.procs"):
        subprocess.run(["mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup"], check=True)


def server_tree():
    return subprocess.run([f"{TOOLS}/make-root", f"{TOOLS}/server-packages.txt", "server"],
                          stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def quiet(*argv):
    subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def free_net(first=100, last=180):
    """A byte that no other run on this host has; it is ours until this process ends."""
    for net in range(first, last):
        lock = os.open(f"/tmp/caip-net-{net}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return net
        except OSError:
            os.close(lock)
    raise RuntimeError("too many throw-away servers on this host")


class Machine:
    """`net` is one byte: the host is 10.203.<net>.1 for the machine, the machine 10.203.<net>.2."""

    def __init__(self, name, net, log):
        self.name, self.net, self.log = name, net, log
        self.host, self.address = f"10.203.{net}.1", f"10.203.{net}.2"
        self.namespace, self.link = f"caip-{name}-{net}", f"caip{net}"
        self.cgroup = f"/sys/fs/cgroup/caip-{name}-{net}"
        self.process = None
        self.leader = None

    def make_network(self):
        """The host's end of the wire; before start(), so that a control plane can listen on it."""
        self.remove_network()
        run = lambda *argv: subprocess.run(argv, check=True)  # noqa: E731
        run("ip", "netns", "add", self.namespace)
        run("ip", "link", "add", self.link, "type", "veth", "peer", "name", "host0", "netns", self.namespace)
        run("ip", "addr", "add", f"{self.host}/24", "dev", self.link)
        run("ip", "link", "set", self.link, "up")
        run("ip", "-n", self.namespace, "addr", "add", f"{self.address}/24", "dev", "host0")
        run("ip", "-n", self.namespace, "link", "set", "host0", "up")
        run("ip", "-n", self.namespace, "link", "set", "lo", "up")

    def remove_network(self):
        quiet("ip", "link", "del", self.link)
        quiet("ip", "netns", "del", self.namespace)
        # A name left behind by a killed run is a plain file to everybody else.
        quiet("rm", "-f", f"/run/netns/{self.namespace}")

    def start(self, root=None):
        """From the server tree, keeping nothing; or from `root`, a tree of the machine's own."""
        prepare()
        volatile = [] if root else ["--volatile=overlay"]
        root = root or server_tree()
        os.makedirs(self.cgroup, exist_ok=True)

        def enter_cgroup():
            with open(f"{self.cgroup}/cgroup.procs", "w", encoding="ascii") as file:
                file.write("0")

        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["systemd-nspawn", "--quiet", f"--directory={root}", *volatile,
                 f"--machine={self.name}-{self.net}", f"--hostname={self.name}", "--register=no", "--keep-unit", "--link-journal=no",
                 f"--network-namespace-path=/run/netns/{self.namespace}", "--resolv-conf=off",
                 "--console=pipe", "--boot"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=enter_cgroup)

    def wait_running(self, seconds=90):
        """Until systemd says that it is up and nginx answers."""
        deadline = time.monotonic() + seconds
        state = "not started"
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} stopped while booting; see {self.log}")
            if self.find_leader():
                state = self.run(["systemctl", "is-system-running"], check=False).stdout.strip() or state
                if state in ("running", "degraded"):
                    # The tree carries the name of the host it was made on.
                    self.run(["hostname", self.name])
                    return state
            time.sleep(0.3)
        raise RuntimeError(f"{self.name} did not come up in {seconds} s (state: {state}); see {self.log}")

    def find_leader(self):
        """The pid, seen from here, of the machine's init."""
        if self.leader is None:
            children = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True,
                                      check=False).stdout.split()
            for pid in children:
                try:
                    with open(f"/proc/{pid}/comm", encoding="ascii") as file:
                        if file.read().strip() == "systemd":
                            self.leader = int(pid)
                except OSError:
                    pass
        return self.leader

    def command(self, argv):
        return ["nsenter", "-t", str(self.find_leader()), "-m", "-u", "-i", "-n", "-p", "--wdns=/root", "--",
                "env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME=/root", "LANG=C.UTF-8", *argv]

    def run(self, argv, check=True, timeout=120, **kwargs):
        return subprocess.run(self.command(argv), check=check, text=True, capture_output=True, timeout=timeout, **kwargs)

    def stop(self):
        if self.process and self.process.poll() is None:
            # Twice: the first asks the machine to halt, the second does not wait for it.
            for wait in (6, 6):
                self.process.send_signal(signal.SIGTERM)
                try:
                    self.process.wait(wait)
                    break
                except subprocess.TimeoutExpired:
                    continue
            else:
                self.process.kill()
                self.process.wait()
        self.leader = None
        self.remove_network()
        for folder, _, _ in os.walk(self.cgroup, topdown=False):
            try:
                os.rmdir(folder)
            except OSError:
                pass
