import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
import types
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import redis

from minikv import cli, daemon, log
from minikv.errors import SettingError, StartError
from minikv.settings import Settings

PYTEST_REDIS_FLAGS = (
    "--daemonize no --rdbcompression yes --rdbchecksum yes --appendonly no --databases 8 --timeout 60 "
    "--dbfilename x.rdb --logfile redis.log --loglevel notice --syslog-enabled no --bind 127.0.0.1"
)


def run(*argv, stdin=""):
    return subprocess.run(
        [sys.executable, "-m", "minikv", *argv], input=stdin, capture_output=True, text=True, timeout=30
    )


def wait_for(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.01)


def answers(client):
    try:
        return client.ping()
    except redis.ConnectionError:
        return False


@contextmanager
def serving(tmp_path, *argv, **options):
    """A server process on a Unix socket; yields it with a client."""
    path = tmp_path / "minikv.sock"
    place = ["--port", "0", "--unixsocket", str(path), "--dir", str(tmp_path)]
    process = subprocess.Popen(
        [sys.executable, "-m", "minikv", *argv, *place],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip
    client = redis.Redis(unix_socket_path=str(path), decode_responses=True)
    try:
        wait_for(lambda: process.poll() is not None or answers(client))
        assert process.poll() is None, process.communicate()
        yield process, client
    finally:
        client.close()
        if process.poll() is None:
            process.kill()
        process.communicate()


# Arguments.


@pytest.mark.parametrize("flag", ["-v", "--version"])
def test_version(capsys, flag):
    assert cli.main([flag]) == 0
    out = capsys.readouterr().out
    assert re.fullmatch(r"minikv server v=\d+\.\d+\.\d+ .*\n", out)


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help(capsys, flag):
    assert cli.main([flag]) == 0
    assert capsys.readouterr().out.startswith("Usage: minikv")


def test_module_is_the_command():
    assert run("--version").stdout == cli.version_line() + "\n"


@pytest.mark.parametrize(
    "argv, place, line, reason",
    [
        (["--hz", "abc"], "the command line, at option 1", 'hz "abc"',
         "hz: argument couldn't be parsed into an integer"),
        (["--hz", "1", "--nope", "a b"], "the command line, at option 2", 'nope "a b"',
         "nope: Bad directive or wrong number of arguments"),
        (["--hz"], "the command line, at option 1", "hz", "hz: wrong number of arguments"),
        (["{file}"], "{file}, at line 3", "port 99999",
         "port: argument must be between 0 and 65535 inclusive"),
        (["-"], "standard input, at line 2", "timeout -1",
         "timeout: argument must be between 0 and 2147483647 inclusive"),
    ],
)  # fmt: skip
def test_bad_setting(tmp_path, argv, place, line, reason):
    file = tmp_path / "a.conf"
    file.write_text("# a\nhz 9\nport 99999\n")
    result = run(*(word.format(file=file) for word in argv), stdin="hz 1\ntimeout -1\n")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        "",
        f"*** FATAL CONFIG FILE ERROR (minikv {cli.__version__}) ***",
        f"Reading {place.format(file=file)}",
        f">>> '{line}'",
        reason,
    ]


def test_missing_file():
    result = run("/nonexistent/a.conf")
    assert result.returncode == 1
    assert "Can't open the configuration file '/nonexistent/a.conf': No such file" in result.stderr


def test_options_win_over_the_file(tmp_path, monkeypatch):
    (tmp_path / "a.conf").write_text("hz 20\ntimeout 5\nsave 1 1\n")
    monkeypatch.chdir(tmp_path)
    settings = cli.read_settings(["a.conf", "--hz", "30", "--save", ""])
    assert (settings["hz"], settings["timeout"], settings["save"]) == (30, 5, ())
    assert settings.path == str(tmp_path / "a.conf")
    assert cli.read_settings([]).path is None


def test_pytest_redis_flags(tmp_path):
    flags = PYTEST_REDIS_FLAGS.split()
    settings = cli.read_settings([*flags, "--save 900 1", "--dir", str(tmp_path), "--requirepass", ""])
    assert settings.text("save") == "900 1"
    assert (settings["databases"], settings["bind"], settings["logfile"]) == (8, ("127.0.0.1",), "redis.log")


# Starting, with a server that only notes what it is given.


@pytest.fixture
def started(monkeypatch, tmp_path):
    servers = []

    class Server:
        def __init__(self, settings):
            self.settings = settings
            servers.append(self)

        def run(self):
            if self.settings["port"] == 1:
                raise StartError("Failed listening on port 1: Permission denied")
            self.pidfile = os.path.exists("pid") and Path("pid").read_text()
            return 7

    monkeypatch.setitem(sys.modules, "minikv.server", types.SimpleNamespace(Server=Server))
    monkeypatch.chdir(tmp_path)
    yield servers
    log.close_log()


def test_banner(started, capsys):
    assert cli.main(["--port", "7777", "--appendonly", "yes", "--save", "1 1"]) == 7
    lines = [line.split(" ", 5)[-1] for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        f"* minikv {cli.__version__} is starting, PID: {os.getpid()}, port 7777, io epoll",
        "# save does nothing yet: data is not written to disk yet",
        "# appendonly does nothing yet: data is not written to disk yet",
        "* Server initialized",
    ]


def test_pidfile_lives_as_long_as_the_server(started, tmp_path):
    assert cli.main(["--pidfile", "pid"]) == 7
    assert started[0].pidfile == f"{os.getpid()}\n"
    assert os.listdir(tmp_path) == []


def test_pidfile_that_cannot_be_written_is_a_warning(started, capsys):
    assert cli.main(["--pidfile", "none/pid"]) == 7
    assert "# Failed to write the process file" in capsys.readouterr().out


@pytest.mark.parametrize("argv, place", [([], "out"), (["--loglevel", "nothing"], "err"),
                                         (["--logfile", "log"], "err")])  # fmt: skip
def test_start_error_is_one_line(started, capsys, argv, place):
    assert cli.main(["--port", "1", *argv]) == 1
    captured = capsys.readouterr()
    assert getattr(captured, place).count("Failed listening on port 1: Permission denied") == 1
    assert captured.err == "" or captured.err == "minikv: Failed listening on port 1: Permission denied\n"


def test_run_time_changes_reach_the_process(started, tmp_path, capsys):
    (tmp_path / "sub").mkdir()
    cli.main(["--enable-protected-configs", "yes"])
    settings = started[0].settings
    settings.set([("dir", "sub"), ("loglevel", "verbose")])
    assert os.getcwd() == str(tmp_path / "sub")
    log.verbose("seen")
    assert capsys.readouterr().out.endswith("- seen\n")
    (tmp_path / "sub2").mkdir()
    settings.set([("dir", str(tmp_path / "sub2"))])
    with pytest.raises(SettingError, match="not able to handle"):
        settings.set([("maxclients", "4294967295")])


# Open files.


@pytest.fixture
def file_limit(monkeypatch):
    """Stands for the system: `limits` is (soft, hard), and nobody may raise hard."""
    limits = [100, 200]

    def setrlimit(what, wanted):
        if wanted[1] > limits[1]:
            raise ValueError("not allowed to raise maximum limit")
        limits[:] = wanted

    monkeypatch.setattr(resource, "getrlimit", lambda what: tuple(limits))
    monkeypatch.setattr(resource, "setrlimit", setrlimit)
    return limits


@pytest.mark.parametrize(
    "wanted, soft, fitted",
    [(50, 100, 50), (68, 100, 68), (100, 132, 100), (168, 200, 168), (169, 200, 168), (10000, 200, 168)],
)
def test_fit_maxclients(file_limit, caplog, wanted, soft, fitted):
    settings = Settings(maxclients=wanted)
    daemon.fit_maxclients(settings)
    assert (settings["maxclients"], file_limit) == (fitted, [soft, 200])
    assert len(caplog.messages) == (wanted != fitted)


def test_fit_maxclients_needs_room_for_one(file_limit):
    file_limit[:] = [32, 32]
    with pytest.raises(StartError, match="limit of open files is 32"):
        daemon.fit_maxclients(Settings())


def test_check_maxclients(file_limit):
    daemon.check_maxclients("maxclients", 150)
    assert file_limit == [182, 200]
    with pytest.raises(SettingError, match="try with 168"):
        daemon.check_maxclients("maxclients", 169)


# The real server.


def test_serves_until_sigterm(tmp_path):
    with serving(tmp_path) as (process, client):
        assert client.ping()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (0, "")
    assert f"PID: {process.pid}" in out
    assert "Ready to accept connections" in out
    assert not (tmp_path / "minikv.sock").exists()


def test_config_commands(tmp_path):
    file = tmp_path / "a.conf"
    file.write_text("# note\nhz 20\n")
    with serving(tmp_path, str(file)) as (_, client):
        assert client.config_get("HZ") == {"HZ": "20"}
        assert client.config_set("hz", "30", "maxmemory", "1mb")
        assert client.config_get("hz", "maxmemor[y]") == {"hz": "30", "maxmemory": "1048576"}
        assert client.config_rewrite()
        assert client.config_resetstat()
        failed = "CONFIG SET failed (possibly related to argument"
        for words, message in [
            (("hz", "abc"), f"{failed} 'hz') - argument couldn't be parsed into an integer"),
            (("databases", "1"), f"{failed} 'databases') - can't set immutable config"),
            (("hz", "1", "nope", "1"), "Unknown option or number of arguments for CONFIG SET - 'nope'"),
            (("hz", "1", "timeout"), "syntax error"),
        ]:
            with pytest.raises(redis.ResponseError, match=re.escape(message)):
                client.config_set(*words)
        assert client.config_get("hz") == {"hz": "30"}
        assert client.execute_command("CONFIG HELP")[0].startswith("CONFIG <subcommand>")
    text = file.read_text()  # what the command line set is written back too
    assert text.startswith("# note\nhz 30\n# Generated by CONFIG REWRITE\n")
    assert "\nmaxmemory 1mb\n" in text


def test_config_rewrite_without_a_file(tmp_path):
    with serving(tmp_path) as (_, client), pytest.raises(redis.ResponseError, match="without a config file"):
        client.config_rewrite()


def test_settings_from_standard_input(tmp_path):
    text = tmp_path / "text"
    text.write_text("hz 33\n")
    with text.open() as stdin, serving(tmp_path, "-", stdin=stdin) as (_, client):
        assert client.config_get("hz") == {"hz": "33"}


def test_daemonize(tmp_path):
    path, pidfile, logfile = (tmp_path / name for name in ("minikv.sock", "pid", "log"))
    result = run("--daemonize", "yes", "--port", "0", "--unixsocket", str(path), "--pidfile", str(pidfile),
                 "--logfile", str(logfile), "--dir", str(tmp_path))  # fmt: skip
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    client = redis.Redis(unix_socket_path=str(path))
    try:
        wait_for(lambda: answers(client))
        pid = int(pidfile.read_text())
        assert f"PID: {pid}" in logfile.read_text()
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not pidfile.exists())
    finally:
        with suppress(FileNotFoundError):
            os.kill(int(pidfile.read_text()), signal.SIGKILL)


def test_port_in_use(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        result = run("--bind", "127.0.0.1", "--port", str(port), "--dir", str(tmp_path))
    assert result.returncode == 1
    assert result.stdout.splitlines()[-1].endswith(": Address already in use")
    assert "Traceback" not in result.stderr


def test_socket_path_that_cannot_be_made(tmp_path):
    result = run("--port", "0", "--unixsocket", str(tmp_path / "none" / "sock"), "--dir", str(tmp_path))
    assert result.returncode == 1
    assert "No such file or directory" in result.stdout.splitlines()[-1]
    assert "Traceback" not in result.stderr
