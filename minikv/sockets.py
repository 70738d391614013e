"""Options of the sockets that connections are accepted from, and the sockets that datagrams come to."""

from __future__ import annotations

import contextlib
import os
import socket
import struct

from .errors import StartError
from .settings import Settings

INHERITED = ("tcp-nodelay", "tcp-keepalive", "so-linger")


def set_options(listener: socket.socket, settings: Settings) -> None:
    """Set what accepted sockets inherit: no system call for each of them."""
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, settings["tcp-nodelay"])
    linger = settings["so-linger"]
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", linger >= 0, max(linger, 0)))
    # a silent peer is probed after so many seconds, three times at a third of that
    seconds = settings["tcp-keepalive"]
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, bool(seconds))
    if seconds:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, seconds)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(1, seconds // 3))
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)


def open_datagrams(settings: Settings) -> list[socket.socket]:
    """The sockets of udp-port, udp-bind and unixdatagram."""
    with contextlib.ExitStack() as opened:
        found = []
        port, path = settings["udp-port"], settings["unixdatagram"]
        for word in settings["udp-bind"] if port else ():
            address = word.removeprefix("-")
            try:
                found.append(opened.enter_context(_udp_socket(address, port)))
            except OSError as error:
                if not (word.startswith("-") and found):
                    reason = error.strerror or error
                    raise StartError(f"Failed opening UDP port {port} ({address}): {reason}") from None
        if path:
            found.append(opened.enter_context(_unix_socket(path, settings["unixsocketperm"])))
        opened.pop_all()
        return found


def _udp_socket(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with contextlib.ExitStack() as opened:
        sock = opened.enter_context(socket.socket(family, socket.SOCK_DGRAM))
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setblocking(False)
        sock.bind(({"*": "0.0.0.0", "::*": "::"}.get(address, address), port))
        opened.pop_all()
        return sock


def _unix_socket(path: str, mode: int) -> socket.socket:
    try:
        with contextlib.ExitStack() as opened:
            sock = opened.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            sock.setblocking(False)
            sock.bind(path)
            if mode:
                os.chmod(path, mode)
            opened.pop_all()
            return sock
    except OSError as error:
        raise StartError(f"Failed opening Unix datagram socket {path}: {error.strerror or error}") from None
