"""minikv/compare/syscalls.py: strace's summary, and a real one."""

import shutil
import subprocess
import sys

import pytest

from minikv.compare import syscalls
from minikv.compare.errors import MeasurementError

SUMMARY = """\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 61.20    0.001530           6       246           recvfrom
 38.80    0.000970           4       243         2 sendto
  0.00    0.000000           0         3           epoll_wait
  0.00    0.000000           0         1           restart_syscall
------ ----------- ----------- --------- --------- ----------------
100.00    0.002500           5       492         2 total
"""


def test_summary() -> None:
    assert syscalls.parse_summary(SUMMARY) == {"recvfrom": 246, "sendto": 243, "epoll_wait": 3}
    assert syscalls.parse_summary("") == {}


def test_without_strace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(MeasurementError, match="not installed"):
        syscalls.count_calls(1, lambda: 1)


def test_a_child_that_reads_and_writes() -> None:
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    code = "import os\nwhile data := os.read(0, 1): os.write(1, data)\n"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        start_new_session=True,
    ) as child:
        assert child.stdin and child.stdout
        stdin, stdout = child.stdin, child.stdout

        def work() -> int:
            for _ in range(100):
                stdin.write(b"x")
                stdout.read(1)
            return 100

        try:
            work()
            calls = syscalls.count_calls(child.pid, work)
        except MeasurementError as error:
            pytest.skip(str(error))
        finally:
            stdin.close()
    assert calls["write"] == pytest.approx(1, abs=0.02)
    assert calls["read"] == pytest.approx(1, abs=0.02)
