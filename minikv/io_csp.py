"""The model `csp`: coroutines that share nothing, and channels between them.

One coroutine owns the store. Each connection is a coroutine that waits at a channel of its own and sends
what comes out of it, with a child that waits for the socket and puts what it receives into the store's
channel. Others accept, and one waits for signals. So each does one thing after the
other, as its code reads, and whoever has to wait lets the rest go on: it is one thread.

The store's channel holds `CHANNEL` messages; when it is full, its senders wait: that is the
back-pressure on clients that flood. It never waits for a client: a connection's channel has room for one
message, and the next is put in when that one has been sent. What is owed beyond it stays with the
session, where the output limits see it.

Costs: a request passes through three coroutines, in Python. Choose it where the program around the
store is written in coroutines anyway, and to see what channels make plain.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from minikv_core.pysession import PySession, PyWorker

from .errors import StartError

try:
    import trio
except ImportError:
    raise StartError("the I/O model csp needs trio: pip install 'minikv[csp]'") from None

if TYPE_CHECKING:
    from .server import Server

CHANNEL = 128  # messages
RECEIVE_BYTES = 65536
LEND_BYTES = 262144  # sent with one message: how much of a slow peer's progress the store does not see
NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
ACCEPT_PAUSE = 0.1  # seconds, without room
LINGER = 1.0  # seconds, for the peer of a closed connection to close too
LAST_CALL = 1.0  # seconds at the end, for peers to take what they are owed
ENDS = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)


class Client:
    """A connection, as the store knows it."""

    def __init__(self, sock: socket.socket, session: PySession) -> None:
        self.sock = sock
        self.session = session
        self.replies, self.to_send = trio.open_memory_channel[bytes](1)
        self.scope = trio.CancelScope()  # of its coroutines
        session.owner = self


# What the store is told.


@dataclass(slots=True)
class Accepted:
    sock: socket.socket
    is_unix: bool


@dataclass(slots=True)
class Received:
    client: Client
    data: bytes | None  # empty: the peer has closed its end; None: the connection is broken


@dataclass(slots=True)
class Sent:
    client: Client
    count: int  # bytes; -1 = the connection is broken


@dataclass(slots=True)
class Stop:
    pass


Message = Accepted | Received | Sent | Stop


class Csp:
    """Serves a server's listening sockets with coroutines."""

    def __init__(self, server: Server) -> None:
        self.worker = PyWorker(server.engine)
        self.clients: set[Client] = set()
        self.listeners: dict[int, bool] = {}  # descriptor -> whether it is a Unix socket
        self.accepting: dict[int, trio.CancelScope] = {}
        self.nursery: trio.Nursery | None = None
        self.stopping = False
        self.wake_read, self.wake_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def __del__(self) -> None:
        os.close(self.wake_read)
        os.close(self.wake_fd)

    def add_listener(self, fd: int, is_unix: bool) -> None:
        """Accept on a listening, non-blocking socket that the caller keeps open."""
        self.listeners[fd] = is_unix
        if self.nursery is not None:
            self.accepting[fd] = trio.CancelScope()
            self.nursery.start_soon(self.accept, fd, is_unix, self.accepting[fd])

    def remove_listener(self, fd: int) -> None:
        """Stop accepting on a socket; to be called before it is closed."""
        del self.listeners[fd]
        if fd in self.accepting:
            self.accepting.pop(fd).cancel()
            trio.lowlevel.notify_closing(fd)

    def stop(self) -> None:
        """End run() soon; from any thread."""
        os.write(self.wake_fd, bytes([signal.SIGTERM]))

    def run(self) -> int:
        """Serve until stop(), a signal's byte, or SHUTDOWN; returns the exit status."""
        if threading.current_thread() is threading.main_thread():
            signal.set_wakeup_fd(-1)  # trio wants to set its own
        trio.run(self.main)
        return self.worker.stop_status

    async def main(self) -> None:
        if threading.current_thread() is threading.main_thread():
            signal.set_wakeup_fd(self.wake_fd)
        self.tell, self.told = trio.open_memory_channel[Message](CHANNEL)
        async with trio.open_nursery() as self.nursery:
            for fd, is_unix in self.listeners.items():
                self.add_listener(fd, is_unix)
            self.nursery.start_soon(self.watch_signals)
            await self.keep_store()
            self.nursery.cancel_scope.cancel()
        self.nursery = None

    # ------------------------------------------------------------ the coroutines around the store

    async def watch_signals(self) -> None:
        while True:
            await trio.lowlevel.wait_readable(self.wake_read)
            if any(number in ENDS for number in os.read(self.wake_read, 64)):
                await self.tell.send(Stop())

    async def accept(self, fd: int, is_unix: bool, scope: trio.CancelScope) -> None:
        listener = socket.socket(fileno=fd)
        try:
            with scope, contextlib.suppress(trio.ClosedResourceError):
                while True:
                    try:
                        sock, _ = listener.accept()
                    except BlockingIOError:
                        await trio.lowlevel.wait_readable(fd)
                    except OSError as error:
                        await trio.sleep(ACCEPT_PAUSE if error.errno in NO_ROOM else 0)
                    else:
                        sock.setblocking(False)
                        await self.tell.send(Accepted(sock, is_unix))
        finally:
            listener.detach()  # it is not ours to close

    async def serve(self, client: Client) -> None:
        try:
            with client.scope:
                async with trio.open_nursery() as children:
                    children.start_soon(self.read, client)
                    async for data in client.to_send:
                        await self.tell.send(Sent(client, await send(client.sock, data)))
                    # the store has forgotten the client
                    shut(client.sock)
                    children.cancel_scope.deadline = trio.current_time() + LINGER
        finally:
            with client.sock:
                shut(client.sock)

    async def read(self, client: Client) -> None:
        data: bytes | None = b"?"
        while data:
            await trio.lowlevel.wait_readable(client.sock)
            try:
                data = client.sock.recv(RECEIVE_BYTES)
            except BlockingIOError:
                continue
            except OSError:
                data = None
            await self.tell.send(Received(client, data))

    # ------------------------------------------------------------ the store

    async def keep_store(self) -> None:
        self.worker.begin_turn()
        while not self.stopping and not self.worker.stopping:
            await self.turn()
        self.stopping = True
        for fd in list(self.listeners):
            self.remove_listener(fd)
        for client in self.clients:
            client.session.close(True)
        end = trio.current_time() + LAST_CALL
        while self.clients:
            if trio.current_time() > end:
                for client in self.clients:
                    client.session.close(False)
            await self.turn(most=0.05)

    async def turn(self, most: float = float("inf")) -> None:
        """Answer what the last turn has made, wait for messages, and take all that are there."""
        wait, ready = self.worker.end_turn()
        for session in ready:
            self.look_after(session.owner)
        message: Message | None = None
        if wait == 0:  # an expired scope would not even look into the channel
            await trio.lowlevel.checkpoint()
        else:
            with trio.move_on_after(min(most, float("inf") if wait < 0 else wait / 1e6)):
                message = await self.told.receive()
        self.worker.begin_turn()
        if message is not None:
            self.take(message)
        with contextlib.suppress(trio.WouldBlock):
            while True:
                self.take(self.told.receive_nowait())

    def look_after(self, client: Client) -> None:
        """A client that is owed something, or must go."""
        data = client.session.lend(LEND_BYTES)
        if data:
            client.replies.send_nowait(data)
        if client.session.over:
            self.forget(client)

    def forget(self, client: Client) -> None:
        """The last of a client for the store; its coroutine closes the connection."""
        self.clients.remove(client)
        client.replies.close()
        if client.session.broken or self.stopping:
            client.scope.cancel()
        client.session.free()

    def take(self, message: Message) -> None:
        match message:
            case Received(client) | Sent(client) if client not in self.clients:
                pass  # said behind its end
            case Received(client, data):
                if data:
                    client.session.feed(data)
                else:
                    client.session.ended(data is None)
            case Sent(client, count):
                if count < 0:
                    client.session.ended(True)
                else:
                    client.session.sent(count)
            case Accepted(sock, is_unix):
                self.admit(sock, is_unix)
            case Stop():
                self.stopping = True

    def admit(self, sock: socket.socket, is_unix: bool) -> None:
        if self.stopping:
            sock.close()
            return
        session = self.worker.admit(sock.fileno(), is_unix)
        if session is None:
            sock.detach()  # it was closed
            return
        client = Client(sock, session)
        self.clients.add(client)
        assert self.nursery is not None
        self.nursery.start_soon(self.serve, client)


async def send(sock: socket.socket, data: bytes) -> int:
    """Send all of it, however long it takes; how much it is, or -1."""
    left = memoryview(data)
    while left:
        try:
            left = left[sock.send(left, socket.MSG_NOSIGNAL) :]
        except BlockingIOError:
            await trio.lowlevel.wait_writable(sock)
        except OSError:
            return -1
    return len(data)


def shut(sock: socket.socket) -> None:
    """Close our end, and drop what the peer has said: a close with unread bytes would be a reset."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        for _ in range(16):
            if not sock.recv(RECEIVE_BYTES):
                break
