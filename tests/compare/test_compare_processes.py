"""minikv/compare/processes.py: what processes, threads and ended children have used."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from minikv.compare import processes
from minikv.compare.processes import Usage, switches_between

BURN = "import time\nwhile time.process_time() < {seconds}: pass\n"


@contextmanager
def session(code: str) -> Iterator["subprocess.Popen[str]"]:
    """Python code in a session of its own; it goes on when it has printed a line and read one."""
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert child.stdout
    try:
        child.stdout.readline()
        yield child
    finally:
        child.communicate("\n", timeout=20)


READY = "print(flush=True); input()\n"


def test_cpu_of_ended_threads_counts() -> None:
    code = f"import threading\ndef burn():\n {BURN.format(seconds=0.2).replace(chr(10), chr(10) + ' ')}\n"
    code += "t = threading.Thread(target=burn); t.start(); t.join()\n"
    code += "import os\nwhile len(os.listdir('/proc/self/task')) > 1: pass\n" + READY  # it ends behind join()
    with session(code) as child:
        assert processes.cpu_seconds(child.pid) >= 0.2
        assert processes.usage(child.pid).threads == 1


def test_cpu_of_ended_and_of_living_children_counts() -> None:
    burning = BURN.format(seconds=0.2)
    code = f"import os\nif not (pid := os.fork()):\n exec({burning!r}); os._exit(0)\nos.waitpid(pid, 0)\n"
    code += f"r, w = os.pipe()\nif not (pid := os.fork()):\n exec({burning!r})\n"
    code += f" os.write(w, b'x'); input(); os._exit(0)\nos.read(r, 1)\n{READY}"
    with session(code) as child:
        used = processes.usage(child.pid)
        assert used.cpu_seconds >= 0.37  # a tick less for the ended one
        assert used.processes == 2
        assert len(processes.in_session(child.pid)) == 2


def test_a_zombie_is_no_process_but_its_time_counts() -> None:
    burning = BURN.format(seconds=0.1)
    code = f"import os\nif not (pid := os.fork()):\n exec({burning!r}); os._exit(0)\n"
    code += "os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)\n"
    with session(code + READY) as child:
        used = processes.usage(child.pid)
        assert used.processes == 1
        assert used.cpu_seconds >= 0.1


def test_context_switches_of_this_thread() -> None:
    ours = (threading.get_native_id(), str(threading.get_native_id()))
    before = processes.context_switches(*ours)
    for _ in range(20):
        time.sleep(0.001)
    assert processes.context_switches(*ours) >= before + 20


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({(1, "1"): 5}, {(1, "1"): 9, (1, "2"): 3}, 7),
        ({(1, "1"): 5, (1, "2"): 1}, {(1, "1"): 9}, "threads ended while measured"),
    ],
)
def test_switches_between(
    before: dict[tuple[int, str], int], after: dict[tuple[int, str], int], expected: int | str
) -> None:
    assert switches_between(Usage(0, 1, len(before), before), Usage(0, 1, len(after), after)) == expected


def test_switches_of_too_many_threads_are_unknown() -> None:
    assert "2,000 threads" in str(switches_between(Usage(0, 1, 1, {(1, "1"): 0}), Usage(0, 1, 5000, {})))


def test_shared_pages_are_counted_once() -> None:
    block = 64 * 2**20
    code = f"import os\nblock = bytes(range(256)) * {block // 256}\n"
    code += "for _ in range(3):\n if not os.fork(): input(); os._exit(0)\n"
    with session(code + READY) as child:
        time.sleep(0.1)
        assert block <= processes.proportional_bytes(child.pid) < 1.9 * block
