"""The server's log, on the standard library's logging.

A line is `pid:M 24 Nov 2026 07:47:58.123 * message`; the mark says how urgent it is: . debug, - verbose,
* notice, # warning. Nothing is written until `open_log`; a program that embeds minikv gets the messages
through its own logging set-up, from the logger "minikv".
"""

import logging
import logging.handlers
import sys
import syslog
import time

from minikv.errors import StartError
from minikv.settings import Settings

DEBUG = logging.DEBUG
VERBOSE = logging.DEBUG + 5
NOTICE = logging.INFO
WARNING = logging.WARNING

LEVELS = {
    "debug": DEBUG,
    "verbose": VERBOSE,
    "notice": NOTICE,
    "warning": WARNING,
    "nothing": logging.CRITICAL + 1,
}
_MARKS = {DEBUG: ".", VERBOSE: "-", NOTICE: "*", WARNING: "#"}
_PRIORITIES = {
    DEBUG: syslog.LOG_DEBUG,
    VERBOSE: syslog.LOG_INFO,
    NOTICE: syslog.LOG_NOTICE,
    WARNING: syslog.LOG_WARNING,
}
_ROLE = "M"  # master

_logger = logging.getLogger("minikv")
_logger.addHandler(logging.NullHandler())


def debug(message: str, *args: object) -> None:
    _logger.log(DEBUG, message, *args)


def verbose(message: str, *args: object) -> None:
    _logger.log(VERBOSE, message, *args)


def notice(message: str, *args: object) -> None:
    _logger.log(NOTICE, message, *args)


def warning(message: str, *args: object) -> None:
    _logger.log(WARNING, message, *args)


def open_log(settings: Settings) -> None:
    """Log where the settings say, in place of where it went before; StartError if the file cannot be opened.

    The file is opened anew when someone moves it away.
    """
    handlers: list[logging.Handler] = []
    if settings["logfile"]:
        try:
            file = logging.handlers.WatchedFileHandler(
                settings["logfile"], encoding="utf-8", errors="backslashreplace"
            )
        except OSError as error:
            raise StartError(f"Can't open the log file '{settings['logfile']}': {error.strerror}") from None
        handlers.append(file)
    else:
        handlers.append(logging.StreamHandler(sys.stdout))
    if settings["syslog-enabled"]:
        facility = getattr(syslog, f"LOG_{settings['syslog-facility'].upper()}")
        handlers.append(_SystemLog(settings["syslog-ident"], facility))
    close_log()
    for handler in handlers:
        if not isinstance(handler, _SystemLog):
            handler.setFormatter(_LineFormatter())
        _logger.addHandler(handler)
    _logger.propagate = False
    set_level("loglevel", settings["loglevel"])


def close_log() -> None:
    """Undo `open_log`."""
    for handler in _logger.handlers[:]:
        if not isinstance(handler, logging.NullHandler):
            _logger.removeHandler(handler)
            handler.close()
    _logger.propagate = True


def set_level(name: str, level: str) -> None:
    """Log this level and what is more urgent; fit to subscribe to the setting loglevel."""
    _logger.setLevel(LEVELS[level])


class _LineFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%d %b %Y %H:%M:%S", time.localtime(record.created))
        mark = _MARKS.get(record.levelno, "#")
        return f"{record.process}:{_ROLE} {moment}.{int(record.msecs):03d} {mark} {super().format(record)}"


class _SystemLog(logging.Handler):
    def __init__(self, ident: str, facility: int) -> None:
        super().__init__()
        syslog.openlog(ident, syslog.LOG_PID | syslog.LOG_NDELAY, facility)

    def emit(self, record: logging.LogRecord) -> None:
        syslog.syslog(_PRIORITIES.get(record.levelno, syslog.LOG_WARNING), self.format(record))
