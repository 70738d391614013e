"""Servers in processes of their own, seen from outside."""

import ctypes
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

from minikv.models import MODELS

SANITIZED = "libasan" in os.environ.get("LD_PRELOAD", "")  # its own memory counts, too
TICKS = os.sysconf("SC_CLK_TCK")  # a second's, in /proc/PID/stat
SERVE = """
import json, os, resource, signal, sys
import minikv
signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # as in hosts other than Python
server = minikv.Server(**json.loads(sys.argv[1]))
if server.settings["logfile"]:
    minikv.log.open_log(server.settings)
if int(sys.argv[2]):
    limit = max(map(int, os.listdir("/proc/self/fd"))) + int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
print(server.port, flush=True)
sys.exit(server.run())
"""


class ServerProcess(subprocess.Popen):
    """A server on a port, or on a free one, which the process itself chooses.

    spare   descriptors that it has left to serve with; 0 = as many as it likes
    """

    def __init__(self, port=0, spare=0, **settings):
        words = json.dumps(settings | {"port": port}), str(spare)
        super().__init__([sys.executable, "-c", SERVE, *words], stdout=subprocess.PIPE)
        self.port = int(self.stdout.readline())
        self.proc = Path(f"/proc/{self.pid}")

    def __exit__(self, *exc):
        self.kill()
        super().__exit__(*exc)

    def descriptors(self):
        """The numbers of its open files."""
        return {int(name) for name in os.listdir(self.proc / "fd")}

    def cpu_seconds(self):
        """Processor time that all its threads have used."""
        fields = (self.proc / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def wakeups(self):
        """How often its threads have waited for something, and gone on."""
        return sum(status_number(path, "voluntary_ctxt_switches") for path in self.proc.glob("task/*/status"))

    def peak_memory(self):
        """Most bytes that it had in memory."""
        return status_number(self.proc / "status", "VmHWM") * 1024


def status_number(path, name):
    """The number in a line of /proc/PID/status."""
    lines = dict(line.split(":", 1) for line in path.read_text().splitlines())
    return int(lines[name].split()[0])


def has_uring():
    """Whether this system lets io_uring be used: a ring is asked for with no memory for its parameters."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall(425, 1, None)
    return ctypes.get_errno() == errno.EFAULT


RUNNING = [name for name in MODELS if name != "uring" or has_uring()]
