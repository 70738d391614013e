"""The command `minikv`: from arguments to a running server."""

import os
import platform
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

from minikv import conf, log
from minikv.daemon import check_maxclients, fit_maxclients, process_file, run_in_background
from minikv.errors import SettingError, StartError
from minikv.settings import Settings
from minikv.version import __version__

USAGE = """\
Usage: minikv [FILE | -] [--name value ...]
       minikv compare [--quick] [--list] ...     measure the I/O models (compare --help)
       minikv --version | --help

A Redis-compatible key-value server.

  FILE           read settings from a file in redis.conf's syntax
  -              read settings from standard input (first or last argument)
  --name value   a setting; wins over the file. `minikv --port 7777 --maxmemory 1gb`

Examples:
  minikv
  minikv /etc/minikv.conf --loglevel verbose
  minikv --port 0 --unixsocket /tmp/minikv.sock
  minikv --bind 127.0.0.1 ::1 --requirepass secret
  minikv --io nginx --worker-processes 4
  echo 'maxmemory 128mb' | minikv -

`redis-cli config get '*'` shows every setting of a running server.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the server until it is told to stop; returns the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] in (["-v"], ["--version"]):
        print(version_line())
        return 0
    if arguments[:1] in (["-h"], ["--help"]):
        print(USAGE, end="")
        return 0
    if arguments[:1] == ["compare"]:
        from minikv.compare.command import main as compare

        return compare(arguments[1:])
    try:
        settings = read_settings(arguments)
    except StartError as error:
        print(f"\n*** FATAL CONFIG FILE ERROR (minikv {__version__}) ***\n{error}", file=sys.stderr)
        return 1
    try:
        return _run(settings)
    except StartError as error:
        log.warning("%s", error)
        if settings["logfile"] or settings["loglevel"] == "nothing":
            print(f"minikv: {error}", file=sys.stderr)
        return 1


def version_line() -> str:
    """What `--version` prints."""
    bits = struct.calcsize("P") * 8
    return f"minikv server v={__version__} bits={bits} python={platform.python_version()}"


def read_settings(argv: Sequence[str]) -> Settings:
    """Build the settings from the command line and what it names; StartError says which line is wrong."""
    arguments = conf.parse_arguments(argv)
    settings = Settings()
    if arguments.file is not None:
        settings.path = str(Path(arguments.file).absolute())
    for line in conf.read_arguments(arguments):
        try:
            settings.load([(line.words[0], line.words[1:])])
        except SettingError as error:
            raise conf.LineError(line, str(error)) from None
    return settings


def _run(settings: Settings) -> int:
    try:
        os.chdir(settings["dir"])
    except OSError as error:
        raise StartError(f"Can't work in the directory '{settings['dir']}': {error.strerror}") from None
    log.open_log(settings)
    if settings["daemonize"]:
        run_in_background()
    settings.subscribe(["loglevel"], log.set_level)
    settings.subscribe(["dir"], _change_directory)
    settings.subscribe(["maxclients"], check_maxclients)
    log.notice(
        "minikv %s is starting, PID: %d, port %d, io %s",
        __version__, os.getpid(), settings["port"], settings["io"],
    )  # fmt: skip
    for name, reason in settings.idle():
        log.warning("%s does nothing yet: %s", name, reason)
    fit_maxclients(settings)

    # These load the engine, which --help and a bad setting need not wait for.
    from minikv_core.handle import keep_heap

    from minikv.server import Server

    keep_heap()
    server = Server(settings=settings)
    with process_file(settings):
        log.notice("Server initialized")
        return server.run()


def _change_directory(name: str, path: str) -> None:
    try:
        os.chdir(path)
    except OSError as error:
        raise SettingError(name, error.strerror or str(error)) from None
