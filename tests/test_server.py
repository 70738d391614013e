"""Server: where it listens, how it starts and ends, and that it needs no GIL."""

import contextlib
import ctypes
import gc
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time

import pytest
from connections import Connection, until

import minikv
from minikv import SettingError, StartError


def refuses(port):
    """Whether nobody listens on the port."""
    with contextlib.closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def ping(path):
    """What the server on a Unix socket answers to PING."""
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as client:
        client.settimeout(20)
        client.connect(str(path))
        client.sendall(b"PING\r\n")
        return client.recv(100)


def peer_of(fd):
    """Address and port of the other end, if the descriptor is a connection over IPv4."""
    with contextlib.suppress(OSError):
        if stat.S_ISSOCK(os.fstat(fd).st_mode):
            with socket.socket(fileno=os.dup(fd)) as connection:
                if connection.family == socket.AF_INET:
                    return "{}:{}".format(*connection.getpeername())


def figure(client, name):
    """A number in INFO."""
    return int(client.cmd("INFO", "everything").partition(b"\r\n%b:" % name)[2].partition(b"\r\n")[0])


# ---------------------------------------------------------------- starting and ending


def test_serves_while_the_context_lasts():
    with minikv.Server(port=0) as server:
        assert 0 < server.port < 65536
        with Connection(server.port) as client:
            assert client.cmd("SET", "k", "v") == b"OK"
            assert client.cmd("GET", "k") == b"v"
    assert refuses(server.port)
    assert not [t for t in threading.enumerate() if t.name == f"minikv:{server.port}"]


@pytest.mark.parametrize("model", ["epoll", "epoll-et", "poll", "select", "reactors"])
def test_a_closed_connection_of_which_a_copy_is_left(model):
    """As a process has that is being forked meanwhile: nothing must be heard of that connection any more."""
    with minikv.Server(port=0, io=model) as server, Connection(server.port) as other:
        with Connection(server.port) as client:
            assert client.cmd("PING") == b"PONG"
            copy = os.dup(
                next(fd for fd in map(int, os.listdir("/proc/self/fd")) if peer_of(fd) == client.address)
            )
        with contextlib.closing(socket.socket(fileno=copy)):
            until(lambda: figure(other, b"connected_clients") == 1)
            before = figure(other, b"eventloop_cycles")
            time.sleep(0.1)
            assert figure(other, b"eventloop_cycles") - before < 50


def test_ends_when_the_block_raises():
    with pytest.raises(ZeroDivisionError), minikv.Server(port=0) as server:
        assert 1 / 0
    assert refuses(server.port)


def test_start_and_stop_by_hand():
    server = minikv.Server()
    assert server.start() is server
    with pytest.raises(RuntimeError, match="runs already"):
        server.start()
    with pytest.raises(RuntimeError, match="stop"):
        server.close()
    with Connection(server.port) as client:
        assert client.cmd("PING") == b"PONG"
        server.stop()
        assert client.is_closed()
    server.stop()
    assert refuses(server.port)
    with pytest.raises(RuntimeError, match="can't start again"):
        server.start()
    with pytest.raises(RuntimeError, match="closed"):
        server.engine.memory()


def test_listens_before_it_is_started():
    server = minikv.Server(port=0)
    with Connection(server.port) as client:
        client.send("ECHO", "early")
        with server:
            assert client.read() == b"early"


def test_close_without_start():
    server = minikv.Server(port=0)
    assert not refuses(server.port)
    server.close()
    assert refuses(server.port)


def test_port_is_free_at_once():
    with minikv.Server(port=0) as server, Connection(server.port) as client:
        client.cmd("PING")
        server.stop()
        with minikv.Server(port=server.port) as again, Connection(again.port) as other:
            assert again.port == server.port
            assert other.cmd("PING") == b"PONG"


def test_stop_answers_what_was_received():
    value = "v" * 100_000
    with minikv.Server(port=0) as server, Connection(server.port) as client:
        client.cmd("SET", "k", value)
        client.send("GET", "k")
        client.send("GET", "k")
        client.raw(1)
        server.stop()
        client.received = b"$" + client.received
        assert client.read() == value.encode()


def test_shutdown_ends_the_thread():
    with minikv.Server(port=0) as server, Connection(server.port) as client:
        client.send("SHUTDOWN")
        assert client.is_closed()
        server._thread.join(20)
        assert not server._thread.is_alive()
    assert refuses(server.port)


def test_nothing_stays_open():
    def open_files():
        return len(os.listdir("/proc/self/fd"))

    with minikv.Server(port=0):
        pass
    gc.collect()  # what other tests have left behind
    before = open_files(), threading.active_count()
    for _ in range(20):
        with minikv.Server(port=0) as server, Connection(server.port) as client:
            client.cmd("PING")
        with pytest.raises(StartError):
            minikv.Server(port=1, bind="192.0.2.1")
    assert (open_files(), threading.active_count()) == before


@pytest.mark.parametrize("stop", ["", "server.stop()"])
def test_interpreter_ends_with_a_server_running(stop):
    program = f"""
import minikv, socket
server = minikv.Server(port=0).start()
client = socket.create_connection(("127.0.0.1", server.port))
client.sendall(b"PING\\r\\n")
print(client.recv(7))
{stop}
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "b'+PONG\\r\\n'\n", "")


def test_run_in_the_main_thread_until_a_signal():
    program = """
import minikv, sys
server = minikv.Server(port=0, loglevel="nothing")
print(server.port, flush=True)
sys.exit(server.run())
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        with Connection(int(process.stdout.readline())) as client:
            assert client.cmd("PING") == b"PONG"
            process.send_signal(signal.SIGTERM)
            assert client.is_closed()
        assert process.wait(20) == 0


# ---------------------------------------------------------------- several side by side


def test_several_are_strangers():
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(minikv.Server(port=0, databases=i + 1)) for i in range(10)]
        clients = [stack.enter_context(Connection(server.port)) for server in servers]
        assert len({server.port for server in servers}) == 10
        for i, client in enumerate(clients):
            assert client.cmd("SET", "who", i) == b"OK"
        for i, client in enumerate(clients):
            assert client.cmd("GET", "who") == b"%d" % i
            assert client.cmd("CONFIG", "GET", "databases") == [b"databases", b"%d" % (i + 1)]
            assert client.cmd("SELECT", i) == b"OK"
            assert client.error("SELECT", i + 1) == "ERR DB index is out of range"
        servers[0].stop()
        assert clients[0].is_closed()
        assert [client.cmd("PING") for client in clients[1:]] == [b"PONG"] * 9


# ---------------------------------------------------------------- the GIL


class PollFd(ctypes.Structure):
    _fields_ = (("fd", ctypes.c_int), ("events", ctypes.c_short), ("revents", ctypes.c_short))


def readable_with_the_gil_held(file, seconds):
    """Wait until a file has something to read, without giving the GIL away meanwhile."""
    wait = PollFd(file.fileno(), 1, 0)
    return ctypes.PyDLL(None).poll(ctypes.byref(wait), ctypes.c_ulong(1), seconds * 1000) == 1


def test_serves_without_the_gil():
    program = """
import socket, sys
client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
client.sendall(b"SET k v PX 60000\\r\\n" + b"INCR n\\r\\n" * 10_000 + b"QUIT\\r\\n")
received = b""
while more := client.recv(65536):
    received += more
print(received[-13:])
"""
    with (
        minikv.Server(port=0, slowlog_log_slower_than=-1) as server,
        subprocess.Popen(
            [sys.executable, "-c", program, str(server.port)], stdout=subprocess.PIPE, text=True
        ) as process,
    ):
        assert readable_with_the_gil_held(process.stdout, 60)
        assert process.stdout.read() == repr(b":10000\r\n+OK\r\n") + "\n"


def test_busy_python_threads_do_not_stop_it():
    busy = True

    def spin():
        while busy:
            pass

    threads = [threading.Thread(target=spin) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        with minikv.Server(port=0) as server, Connection(server.port) as client:
            assert [client.cmd("INCR", "n") for _ in range(10)] == list(range(1, 11))
            assert client.cmd("CONFIG", "GET", "hz") == [b"hz", b"10"]
    finally:
        busy = False
        for thread in threads:
            thread.join()


# ---------------------------------------------------------------- where it listens


def test_unix_socket_beside_tcp(tmp_path):
    path = tmp_path / "minikv.sock"
    with minikv.Server(port=0, unixsocket=str(path), unixsocketperm="700") as server:
        assert path.stat().st_mode & 0o777 == 0o700
        assert ping(path) == b"+PONG\r\n"
        with Connection(server.port) as client:
            assert client.cmd("PING") == b"PONG"
    assert not path.exists()


def test_unix_socket_alone(tmp_path):
    path = tmp_path / "minikv.sock"
    with minikv.Server(port=None, unixsocket=str(path)) as server:
        assert server.port == 0
        assert ping(path) == b"+PONG\r\n"


def test_unix_socket_replaces_what_was_left_behind(tmp_path):
    path = tmp_path / "minikv.sock"
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as left:
        left.bind(str(path))
    with minikv.Server(port=None, unixsocket=str(path)):
        assert ping(path) == b"+PONG\r\n"


def test_two_addresses_with_one_port():
    with minikv.Server(port=0, bind=["127.0.0.1", "127.0.0.2"]) as server:
        for address in ("127.0.0.1", "127.0.0.2"):
            with contextlib.closing(socket.create_connection((address, server.port), 20)) as client:
                client.sendall(b"PING\r\n")
                assert client.recv(100) == b"+PONG\r\n"


# ---------------------------------------------------------------- what is refused


def test_port_in_use():
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        with pytest.raises(StartError, match=f"Failed listening on port {port} .*: Address already in use"):
            minikv.Server(port=port)


def test_second_address_in_use():
    with socket.create_server(("127.0.0.2", 0)) as busy:
        port = busy.getsockname()[1]
        with pytest.raises(StartError, match=r"127\.0\.0\.2.*: Address already in use"):
            minikv.Server(port=port, bind=["127.0.0.1", "127.0.0.2"])
        assert refuses(port)


def test_unix_socket_that_cannot_be_made(tmp_path):
    path = tmp_path / "none" / "minikv.sock"
    with pytest.raises(StartError, match=f"Failed opening Unix socket {path}: No such file or directory"):
        minikv.Server(port=None, unixsocket=str(path))


@pytest.mark.parametrize(
    "values, text",
    [
        ({"nope": "1"}, "nope: Bad directive or wrong number of arguments"),
        ({"hz": "abc"}, "hz: argument couldn't be parsed into an integer"),
        ({"port": 70000}, "port: argument must be between 0 and 65535 inclusive"),
        ({"port": "x"}, "port: argument couldn't be parsed into an integer"),
        ({"maxmemory": "1 tb"}, "maxmemory: argument must be a memory value"),
        (
            {"maxmemory_policy": "lru"},
            "maxmemory-policy: argument.* must be one of the following: volatile-lru",
        ),
        ({"appendonly": 1}, "appendonly: argument must be 'yes' or 'no'"),
        ({"hz": ["1", "2"]}, "hz: wrong number of arguments"),
    ],
)
def test_wrong_setting(values, text):
    with pytest.raises(SettingError, match=f"^{text}"):
        minikv.Server(**values)
