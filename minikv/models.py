"""The I/O models, one row each: `minikv --io NAME`.

A row drives the setting `io`, the choice at the start, `minikv compare` and the tables of
`docs/io-models.md`.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from .errors import StartError

if TYPE_CHECKING:
    from .server import Server


class Runner(Protocol):
    """What serves a server's listening sockets."""

    @property
    def wake_fd(self) -> int:
        """For signal.set_wakeup_fd: a signal's number ends run()."""

    def add_listener(self, fd: int, is_unix: bool) -> None: ...

    def remove_listener(self, fd: int) -> None: ...

    def run(self) -> int:
        """Serve until stop(), a signal or SHUTDOWN; returns the exit status."""

    def stop(self) -> None:
        """End run() soon; from any thread."""


@dataclass(frozen=True)
class Model:
    """One I/O model."""

    name: str
    summary: str  # one line
    source: str  # the file that implements it
    make: Callable[[Server], Runner]
    processes: bool = False  # several processes serve the store
    datagrams: bool = False  # serves UDP and Unix datagram sockets too
    no_push: str = ""  # why messages can't be sent and nobody can wait for a key; empty = all that works


def _reactor(poller: str, module: str) -> Callable[[Server], Runner]:
    """A reactor that asks the poller of that name, which the module adds."""

    def make(server: Server) -> Runner:
        from minikv_core.reactor import Reactor

        import_module(f"minikv_core.{module}")
        return Reactor(server.engine, poller)

    return make


def _model(module: str, name: str) -> Callable[[Server], Runner]:
    """A runner's class, loaded when it is needed."""

    def make(server: Server) -> Runner:
        runner: Runner = getattr(import_module(module), name)(server)
        return runner

    return make


def _uring(server: Server) -> Runner:
    from minikv_core.proactor import Proactor

    try:
        return Proactor(server.engine)
    except OSError as error:
        reason = NO_URING.get(error.errno or 0, error.strerror)
        raise StartError(f"The I/O model uring can't be used: {reason}") from None


NO_URING = {
    errno.ENOSYS: "this kernel has no io_uring",
    errno.EPERM: "io_uring is forbidden here, by kernel.io_uring_disabled or a container's filter",
    errno.EINVAL: "this kernel's io_uring is too old, Linux 6.1 is needed",
}

SEPARATE = "messages do not pass between its processes"

MODELS = {
    model.name: model
    for model in (
        Model(
            "epoll",
            "one thread, level-triggered epoll: reads what is ready, once a turn (the default)",
            "ext/minikv_core/io_epoll.pyx",
            _reactor("epoll", "io_epoll"),
            datagrams=True,
        ),
        Model(
            "epoll-et",
            "the same, edge-triggered: reads and writes until there is no more, with a bound for fairness",
            "ext/minikv_core/io_epoll.pyx",
            _reactor("epoll-et", "io_epoll"),
            datagrams=True,
        ),
        Model(
            "poll",
            "the same reactor on poll(2): all descriptors go to the kernel and back with every wait",
            "ext/minikv_core/io_poll.pyx",
            _reactor("poll", "io_poll"),
            datagrams=True,
        ),
        Model(
            "select",
            "the same reactor on select(2): at most 1,024 descriptors",
            "ext/minikv_core/io_select.pyx",
            _reactor("select", "io_select"),
            datagrams=True,
        ),
        Model(
            "spin",
            "non-blocking sockets asked in turn, no multiplexing: never sleeps",
            "ext/minikv_core/io_spin.pyx",
            _reactor("spin", "io_spin"),
            datagrams=True,
        ),
        Model(
            "uring",
            "a proactor on io_uring: the kernel accepts, receives and sends; one system call a turn",
            "ext/minikv_core/io_uring.pyx",
            _uring,
        ),
        Model(
            "thread",
            "a thread for each connection, which waits for its client with blocking calls",
            "ext/minikv_core/io_thread.pyx",
            _model("minikv_core.io_thread", "Threads"),
        ),
        Model(
            "reactors",
            "a main reactor that accepts, and sub-reactors in threads that own connections",
            "ext/minikv_core/io_reactors.pyx",
            _model("minikv_core.io_reactors", "Reactors"),
        ),
        Model(
            "actor",
            "a connection is two threads, the store is one; they share nothing but messages, and no lock",
            "ext/minikv_core/io_actor.pyx",
            _model("minikv_core.io_actor", "Actors"),
        ),
        Model(
            "csp",
            "a coroutine for each connection, and channels to the coroutine that owns the store",
            "minikv/io_csp.py",
            _model("minikv.io_csp", "Csp"),
        ),
        Model(
            "nginx",
            "a master and event-loop worker processes on one store in shared memory",
            "minikv/io_nginx.py",
            _model("minikv.io_nginx", "Nginx"),
            processes=True,
            no_push=SEPARATE,
        ),
        Model(
            "prefork",
            "a master and a pool of blocking worker processes, as php-fpm: one connection at a time each",
            "minikv/io_prefork.py",
            _model("minikv.io_prefork", "Prefork"),
            processes=True,
            no_push=SEPARATE,
        ),
        Model(
            "fork",
            "a blocking process of its own for each connection",
            "minikv/io_fork.py",
            _model("minikv.io_fork", "Fork"),
            processes=True,
            no_push=SEPARATE,
        ),
    )
}
