"""What a server process does to itself: background, process number, limit of open files."""

import contextlib
import os
import resource
from collections.abc import Iterator

from minikv import log
from minikv.errors import SettingError, StartError
from minikv.settings import Settings

DEFAULT_PIDFILE = "/var/run/minikv.pid"  # of a daemon that names none
RESERVED_FILES = 32  # descriptors kept for listeners, logs and the like


def run_in_background() -> None:
    """Go on in a child of its own session, with no terminal; the process that was started ends here."""
    if os.fork():
        os._exit(0)
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)
    if null > 2:
        os.close(null)


@contextlib.contextmanager
def process_file(settings: Settings) -> Iterator[None]:
    """Keep the process number in a file meanwhile; a file that cannot be written is only worth a warning."""
    path = settings["pidfile"] or (DEFAULT_PIDFILE if settings["daemonize"] else "")
    if path:
        path = os.path.abspath(path)
        try:
            with open(path, "w") as file:
                file.write(f"{os.getpid()}\n")
        except OSError as error:
            log.warning("Failed to write the process file %s: %s", path, error.strerror)
            path = ""
    try:
        yield
    finally:
        if path:
            with contextlib.suppress(OSError):
                os.unlink(path)


def fit_maxclients(settings: Settings) -> None:
    """Raise the limit of open files to what maxclients needs, or lower maxclients to what the limit allows.

    errors   StartError if there is not even room for one client
    """
    wanted = settings["maxclients"]
    allowed = _raise_file_limit(wanted + RESERVED_FILES) - RESERVED_FILES
    if allowed < 1:
        raise StartError(
            f"The limit of open files is {allowed + RESERVED_FILES}; "
            f"a server needs {RESERVED_FILES} and one for each client. Raise it with 'ulimit -n'."
        )
    if allowed < wanted:
        settings.load([("maxclients", str(allowed))])
        log.warning(
            "maxclients is lowered from %d to %d: it needs %d open files and the limit is %d. "
            "Raise it with 'ulimit -n'.",
            wanted, allowed, wanted + RESERVED_FILES, allowed + RESERVED_FILES,
        )  # fmt: skip


def check_maxclients(name: str, value: int) -> None:
    """Refuse more clients than open files; to subscribe to maxclients."""
    allowed = _raise_file_limit(value + RESERVED_FILES) - RESERVED_FILES
    if allowed < value:
        raise SettingError(
            name,
            "The operating system is not able to handle the specified number of clients, "
            f"try with {max(allowed, 1)}",
        )


def _raise_file_limit(wanted: int) -> int:
    """Raise the limit of open files as near to `wanted` as the system lets us; returns what it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    if hard == resource.RLIM_INFINITY or hard >= wanted:
        attempts = [(wanted, hard)]
    else:
        attempts = [(wanted, wanted), (hard, hard)]
    for limits in attempts:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            return limits[0]
    return soft
