import logging
import os
import re
import syslog

import pytest

from minikv import log
from minikv.errors import StartError
from minikv.settings import Settings

LINE = re.compile(r"(\d+):M \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d\.\d{3} (.) (.*)")


@pytest.fixture(autouse=True)
def closed_log():
    yield
    log.close_log()


def write_all():
    for write in (log.debug, log.verbose, log.notice, log.warning):
        write("%s %d", write.__name__, 7)


@pytest.mark.parametrize(
    "level, marks",
    [("debug", ".-*#"), ("verbose", "-*#"), ("notice", "*#"), ("warning", "#"), ("nothing", "")],
)
def test_levels_and_format(capsys, level, marks):
    log.open_log(Settings(loglevel=level))
    write_all()
    lines = [LINE.fullmatch(line).groups() for line in capsys.readouterr().out.splitlines()]
    assert "".join(mark for _, mark, _ in lines) == marks
    assert {pid for pid, _, _ in lines} <= {str(os.getpid())}
    texts = ["debug 7", "verbose 7", "notice 7", "warning 7"]
    assert [text for _, _, text in lines] == texts[4 - len(marks) :]


def test_level_changes_while_running(capsys):
    log.open_log(Settings())
    log.set_level("loglevel", "warning")
    log.notice("a")
    log.set_level("loglevel", "debug")
    log.debug("b")
    assert [line[-1] for line in capsys.readouterr().out.splitlines()] == ["b"]


def test_file_changes_while_running_and_may_be_moved(tmp_path, capsys):
    first, second, moved = tmp_path / "a.log", tmp_path / "b.log", tmp_path / "a.log.1"
    log.open_log(Settings(logfile=str(first)))
    log.notice("one")
    first.rename(moved)
    log.notice("two")
    log.open_log(Settings(logfile=str(second)))
    log.notice("three")
    assert [path.read_text()[-6:].split()[-1] for path in (moved, first, second)] == ["one", "two", "three"]
    assert capsys.readouterr().out == ""


def test_a_file_that_cannot_be_opened(tmp_path):
    with pytest.raises(StartError, match=r"Can't open the log file '.*': No such file or directory"):
        log.open_log(Settings(logfile=str(tmp_path / "none" / "a.log")))


def test_system_log(monkeypatch, capsys):
    opened, sent = [], []
    monkeypatch.setattr(syslog, "openlog", lambda *args: opened.append(args))
    monkeypatch.setattr(syslog, "syslog", lambda *args: sent.append(args))
    log.open_log(Settings(syslog_enabled=True, syslog_ident="me", syslog_facility="local3", loglevel="debug"))
    write_all()
    assert opened == [("me", syslog.LOG_PID | syslog.LOG_NDELAY, syslog.LOG_LOCAL3)]
    assert sent == [
        (syslog.LOG_DEBUG, "debug 7"),
        (syslog.LOG_INFO, "verbose 7"),
        (syslog.LOG_NOTICE, "notice 7"),
        (syslog.LOG_WARNING, "warning 7"),
    ]
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_a_host_program_gets_the_messages(caplog, capsys):
    with caplog.at_level(logging.INFO, "minikv"):
        log.notice("hello")
    assert caplog.messages == ["hello"]
    assert capsys.readouterr().out == ""
