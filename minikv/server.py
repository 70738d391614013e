"""A server: an engine behind sockets, in this thread or in one of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from typing import Any

from minikv_core import places

from . import log
from .daemon import fit_maxclients
from .errors import SettingError, StartError
from .host import Host
from .models import MODELS
from .settings import Settings
from .sockets import INHERITED, open_datagrams, set_options


class Server(Host):
    """Serve a store of its own on TCP, UDP and Unix sockets.

        with minikv.Server(port=0) as server:
            redis.Redis(port=server.port).set("k", "v")

    port        0 = a free one; None = no TCP
    settings    others by redis-server's names with `_` for `-`: maxmemory="100mb", unixsocket="/tmp/s"
    errors      SettingError, StartError (port in use, ...); MemoryError

    The context manager serves from a background thread that does not hold the GIL. Any number of
    servers may run side by side.
    """

    def __init__(self, port: int | None = 0, *, settings: Settings | None = None, **values: Any) -> None:
        any_port = settings is None and port == 0
        if settings is None:
            settings = Settings(port=port or 0, **values)
            fit_maxclients(settings)
        model = MODELS[settings["io"]]
        if (settings["udp-port"] or settings["unixdatagram"]) and not model.datagrams:
            able = ", ".join(other.name for other in MODELS.values() if other.datagrams)
            raise StartError(
                f"io {model.name} can't serve udp-port and unixdatagram: it waits for connections alone, "
                f"unlike {able}"
            )
        super().__init__(settings, model.processes)
        if model.no_push:
            self.engine.refuse_push(f"io {model.name}: {model.no_push}")
        self.port = settings["port"]
        self._listeners: list[socket.socket] = []
        self._thread: threading.Thread | None = None
        self._runner = model.make(self)
        try:
            if self.port or any_port:
                self._listeners = self._open_tcp(self.port, settings["bind"])
                self.port = self._listeners[0].getsockname()[1]
            if settings["unixsocket"]:
                self._listeners.append(self._open_unix(settings["unixsocket"], settings["unixsocketperm"]))
            self._listeners += open_datagrams(settings)
        except BaseException:
            self.close()
            raise
        for listener in self._listeners:
            self._runner.add_listener(listener.fileno(), listener.family == socket.AF_UNIX)
        settings.subscribe(("port", "bind"), self._rebind)
        settings.subscribe(INHERITED, self._set_options)

    # ------------------------------------------------------------ running

    def run(self) -> int:
        """Serve in this thread until SHUTDOWN, SIGTERM or SIGINT; returns the exit status."""
        log.notice("Ready to accept connections")
        with self._signals():
            status = self._runner.run()
        log.notice("Bye bye...")
        self.close()
        return status

    def start(self) -> Server:
        """Serve from a background thread; returns itself."""
        if self._thread is not None:
            raise RuntimeError("the server runs already")
        if not self.engine.is_open:
            raise RuntimeError("a server that has ended can't start again")
        self._thread = threading.Thread(target=self._runner.run, name=f"minikv:{self.port}", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Answer what was received, close the connections, end the thread and free the store."""
        if self._thread is not None:
            self._runner.stop()
            self._thread.join()
            self._thread = None
        self.close()

    def close(self) -> None:
        """Close the listening sockets and free the store; a server that runs needs stop()."""
        if self._thread is not None:
            raise RuntimeError("the server runs: stop() ends it")
        for listener in self._listeners:
            if listener.family == socket.AF_UNIX:
                with contextlib.suppress(OSError):
                    os.unlink(listener.getsockname())
            listener.close()
        self._listeners.clear()
        self.engine.close()
        vars(self).pop("_runner", None)  # its descriptors close with it

    def worker_rows(self) -> dict[str, object]:
        """INFO workers: what the I/O model tells of its worker processes."""
        rows: dict[str, object] = getattr(self._runner, "info", dict)()
        return rows

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @contextlib.contextmanager
    def _signals(self) -> Any:
        """Let signals reach the runner: the C handler writes their number to its pipe."""
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        taken = (signal.SIGTERM, signal.SIGINT, *getattr(self._runner, "signals", ()))
        previous = {s: signal.signal(s, lambda *_: None) for s in taken}
        wakeup = signal.set_wakeup_fd(self._runner.wake_fd, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in previous.items():
                signal.signal(number, handler)

    # ------------------------------------------------------------ sockets

    def _open_tcp(self, port: int, addresses: tuple[str, ...]) -> list[socket.socket]:
        """Listen on each address; one written with a leading '-' may be missing."""
        found: list[socket.socket] = []
        try:
            for word in addresses:
                address = word.removeprefix("-")
                if address == "*":
                    address = "0.0.0.0"  # what the user asked for
                family = socket.AF_INET6 if ":" in address else socket.AF_INET
                try:
                    listener = self.listen(family, (address, port), not self.settings["reuseport"])
                except OSError as error:
                    if word.startswith("-") and found:
                        continue
                    reason = error.strerror or str(error)
                    raise StartError(f"Failed listening on port {port} ({address}): {reason}") from None
                found.append(listener)
                port = listener.getsockname()[1]
            if not found:
                raise StartError(f"Failed listening on port {port}: no address to bind to")
        except BaseException:
            for listener in found:
                listener.close()
            raise
        return found

    def listen(self, family: int, address: tuple[str, int], accepting: bool = True) -> socket.socket:
        """A bound TCP socket, which listens if it is accepting."""
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if self.settings["reuseport"]:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            set_options(listener, self.settings)
            listener.setblocking(False)
            listener.bind(address)
            if accepting:
                listener.listen(self.settings["tcp-backlog"])
        except BaseException:
            listener.close()
            raise
        return listener

    def _open_unix(self, path: str, mode: int) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            listener.setblocking(False)
            listener.bind(path)
            if mode:
                os.chmod(path, mode)
            listener.listen(self.settings["tcp-backlog"])
        except OSError as error:
            listener.close()
            raise StartError(f"Failed opening Unix socket {path}: {error.strerror or error}") from None
        return listener

    def _rebind(self, name: str, value: Any) -> None:
        """CONFIG SET port and bind: listen anew, then drop the old sockets. In the reactor's thread."""
        if places.is_shared(self.engine):
            raise SettingError(name, "the listening sockets belong to the master process")
        port, addresses = self.settings["port"], self.settings["bind"]
        old = self._tcp_listeners()
        now = {x.getsockname()[:2] for x in old}
        wanted = {(a.removeprefix("-"), port) for a in addresses} if port else set()
        if wanted == now:
            return
        keep = [x for x in old if x.getsockname()[:2] in wanted]
        held = {x.getsockname()[0] for x in keep}
        missing = tuple(a for a in addresses if a.removeprefix("-") not in held)
        try:
            fresh = self._open_tcp(port, missing) if port and missing else []
        except StartError as error:
            what = (
                "Unable to listen on this port" if name == "port" else "Failed to bind to specified addresses"
            )
            raise SettingError(name, f"{what}: {error}") from None
        for listener in fresh:
            self._runner.add_listener(listener.fileno(), False)
        for listener in old:
            if listener not in keep:
                self._runner.remove_listener(listener.fileno())
                listener.close()
                self._listeners.remove(listener)
        self._listeners += fresh
        self.port = port

    def _set_options(self, name: str, value: Any) -> None:
        """CONFIG SET of a socket option: for connections that are accepted from now on."""
        for listener in self._tcp_listeners():
            with contextlib.suppress(OSError):  # a process that serves one connection has closed it
                set_options(listener, self.settings)

    def _tcp_listeners(self) -> list[socket.socket]:
        return [x for x in self._listeners if x.family != socket.AF_UNIX and x.type == socket.SOCK_STREAM]
