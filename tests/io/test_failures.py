"""Peers, links and descriptors that fail, in every model."""

import resource
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from connections import Connection, until
from network import Cable, Host
from processes import ServerProcess

from minikv.models import MODELS

FEW = {"nginx": {"worker_processes": 2}}


def family(server):
    """The server's processes: the first, and its workers."""
    workers = (server.proc / f"task/{server.pid}/children").read_text().split()
    return [server.pid, *map(int, workers)]


def figure(client, section, name):
    lines = client.cmd("INFO", section).decode().splitlines()
    return int(dict(line.split(":", 1) for line in lines if ":" in line)[name])


# ---------------------------------------------------------------- a link that is cut


class Crowd:
    """A server of each model on one host; their clients are on another."""

    def __init__(self, opened):
        self.here, self.there = opened(Host()), opened(Host())
        self.cable = Cable(self.here, self.there)
        self.servers = {}
        self.admins = {}
        settings = {"bind": "127.0.0.1 " + self.cable.addresses[0], "protected_mode": "no", "hz": 50}
        settings["tcp_keepalive"] = 1
        for model in MODELS:
            more = FEW.get(model, {})
            server = self.here.run(ServerProcess, io=model, **settings, **more)
            self.servers[model] = opened(server)
            self.admins[model] = opened(self.here.run(Connection, server.port))

    def configure(self, *words):
        for admin in self.admins.values():
            assert admin.cmd("CONFIG", "SET", *words) == b"OK"

    def connect(self, opened):
        """A client of each server, on the other host, that has been served."""
        place = self.cable.addresses[0]
        clients = [
            opened(self.there.run(Connection, (place, server.port))) for server in self.servers.values()
        ]
        assert [client.cmd("SET", "k", "v") for client in clients] == [b"OK"] * len(clients)
        return clients

    def served(self):
        """Models that still have a client on the other host."""
        address = b" addr=" + self.cable.addresses[1].encode()
        return [model for model, admin in self.admins.items() if address in admin.cmd("CLIENT", "LIST")]


@pytest.fixture(scope="module")
def crowd():
    with ExitStack() as stack:
        yield Crowd(stack.enter_context)


def test_vanished_peers_are_found_by_keepalive(crowd, opened):
    """Probes after a second, three times: nobody who still listens is closed, and they all are then."""
    crowd.connect(opened)
    time.sleep(1.5)  # probes that are answered
    assert crowd.served() == list(MODELS)
    with crowd.cable.cut():
        assert crowd.served() == list(MODELS)
        until(lambda: crowd.served() == [])


def test_host_that_died_and_came_back(crowd, opened):
    """It knows nothing of the connection and resets it when it is spoken to."""
    clients = crowd.connect(opened)
    with crowd.cable.cut():
        for client in clients:
            client.reset()  # nobody hears of it
    until(lambda: crowd.served() == [])
    assert [client.cmd("GET", "k") for client in crowd.connect(opened)] == [b"v"] * len(MODELS)


def test_vanished_peers_are_found_by_timeout(crowd, opened):
    crowd.configure("tcp-keepalive", 0)
    crowd.connect(opened)
    with crowd.cable.cut():
        crowd.configure("timeout", 1)
        until(lambda: crowd.served() == [])
        crowd.configure("timeout", 0)


def test_close_has_a_deadline(crowd, opened):
    """Peers that never close their side are let go all the same: what they send then is refused."""
    clients = crowd.connect(opened)
    for client in clients:
        assert client.cmd("QUIT") == b"OK"
        assert client.is_closed()
    for client in clients:
        until(lambda: is_refused(client))  # noqa: B023


def is_refused(client):
    try:
        client.socket.send(b"x")
    except (BrokenPipeError, ConnectionResetError):
        return True


# ---------------------------------------------------------------- peers that fail


@pytest.fixture(scope="module", params=MODELS)
def server(request, tmp_path_factory):
    log = tmp_path_factory.mktemp("log") / "log"
    settings = {"loglevel": "debug", "logfile": str(log), "client_output_buffer_limit": "normal 4mb 0 0"}
    with ServerProcess(io=request.param, **settings, **FEW.get(request.param, {})) as server:
        server.model, server.log = request.param, log
        yield server


@pytest.fixture
def client(server, opened):
    client = opened(Connection(server.port))
    client.cmd("FLUSHALL")
    return client


def test_close_is_graceful(server, client, opened):
    """A client that goes on sending behind QUIT loses neither its words nor the reply to a reset."""
    last = opened(Connection(server.port))
    last.socket.sendall(b"QUIT\r\n")
    for _ in range(100):
        last.socket.sendall(b"x" * 100_000)
    last.socket.shutdown(socket.SHUT_WR)
    assert last.socket.recv(100) == b"+OK\r\n"
    assert last.socket.recv(100) == b""
    assert client.cmd("PING") == b"PONG"


def test_peer_that_never_reads(server, client, opened):
    """What it is owed stays within bounds, and everybody else is served."""
    client.cmd("SET", "k", "v" * 1000)
    before = sum(resident(pid) for pid in family(server))
    slow = opened(Connection(server.port))
    slow.socket.settimeout(0.3)
    with pytest.raises(OSError):  # closed, or no longer read from
        for _ in range(20_000):
            slow.socket.sendall(b"GET k\r\n" * 1000)
    assert client.cmd("PING") == b"PONG"
    assert sum(resident(pid) for pid in family(server)) < before + 40_000_000


def resident(pid):
    """Bytes of memory that are a process's own; 0 = it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private")) * 1024


@pytest.mark.parametrize("way", ["reset", "close"])
def test_writing_to_a_peer_that_has_gone(server, client, way):
    """It is an error of that connection's; a SIGPIPE would end the process."""
    client.cmd("SET", "k", "v" * 1_000_000)
    for _ in range(5):
        gone = Connection(server.port)
        gone.socket.sendall(b"GET k\r\n" * 3)
        assert gone.socket.recv(1) == b"$"
        getattr(gone, way)()
    until(lambda: figure(client, "clients", "connected_clients") == 1)
    assert client.cmd("PING") == b"PONG"
    assert server.poll() is None


@pytest.mark.parametrize(
    "cut", [b"*2\r\n$4\r\nINCR", b"INCR n", b"*3\r\n$3\r\nSET\r\n$1\r\nn\r\n$99999\r\n123"]
)
def test_frame_cut_by_a_close(server, client, cut):
    """It is dropped, and the log says so at its most talkative level."""
    gone = Connection(server.port)
    gone.socket.sendall(b"SET before cut\r\n" + cut)
    assert gone.read() == b"OK"
    expected = f"{gone.address} has closed in the middle of a request: {len(cut)} bytes are dropped"
    gone.close()
    until(lambda: expected in server.log.read_text())
    assert client.cmd("MGET", "before", "n") == [b"cut", None]


# ---------------------------------------------------------------- descriptors


@pytest.mark.parametrize("model", [name for name in MODELS if name not in ("prefork", "fork")])
def test_descriptors_run_out(model, opened):
    """Accepting pauses, who is there is served, and the next one is when there is room again.

    Where each connection has a process of its own, none runs out of them.
    """
    server = opened(ServerProcess(io=model, spare=8, **FEW.get(model, {})))
    client = opened(Connection(server.port))
    client.cmd("SET", "k", "v")
    crowd = [client]
    while len(crowd) < 50 and is_served(crowd[-1]):
        crowd.append(opened(Connection(server.port)))
    assert 2 < len(crowd) < 50
    busy = server.cpu_seconds()
    for _ in range(5):
        assert client.cmd("GET", "k") == b"v"
        time.sleep(0.1)
    assert server.cpu_seconds() - busy < 0.2 or model == "spin"
    for pid in family(server):
        hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
    assert crowd[-1].read() == b"PONG"


@pytest.mark.parametrize(
    "settings",
    [{"io": "fork"}, {"io": "prefork", "pm": "static", "pm.max_children": 8}],
    ids=["fork", "prefork"],
)
def test_master_without_descriptors(settings, opened):
    """Workers go on without it; a connection that needs the master waits until there is room again."""
    server = opened(ServerProcess(**settings))
    client = opened(Connection(server.port))
    assert client.cmd("PING") == b"PONG"
    if settings["io"] == "prefork":
        until(lambda: figure(client, "workers", "idle_processes") == 7)
    hard = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (3, hard))
    others = [opened(Connection(server.port)) for _ in range(5)]
    served = [is_served(other) for other in others]
    assert all(served) == any(served) == (settings["io"] == "prefork")
    assert client.cmd("PING") == b"PONG"
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (hard, hard))
    for other in others:
        assert all(served) or other.read() == b"PONG"
        assert other.cmd("PING") == b"PONG"


def is_served(client):
    """Whether a request is answered soon."""
    client.send("PING")
    client.socket.settimeout(1)
    try:
        return client.read() == b"PONG"
    except TimeoutError:
        return False
    finally:
        client.socket.settimeout(20)
