"""Requests in datagrams, over UDP and Unix datagram sockets, in the models that serve them."""

import os
import re
import socket
import threading

import pytest
from connections import Connection, until
from datagrams import Sender, free_port, request

import minikv
from minikv import ReplyError
from minikv.models import MODELS

SERVING = [name for name, model in MODELS.items() if model.datagrams]
UDP_MOST = 65_507  # bytes in a UDP datagram


@pytest.fixture(scope="module", params=SERVING)
def server(request, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("d") / "s")
    port = free_port()
    settings = {"udp_port": port, "unixdatagram": path, "enable_debug_command": "yes"}
    with minikv.Server(port=0, io=request.param, **settings) as server:
        server.places = {"UDP": ("127.0.0.1", port), "Unix": path}
        yield server


@pytest.fixture
def udp(server):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        yield Sender(s, server.places["UDP"])


@pytest.fixture(params=["UDP", "Unix"])
def sender(request, server, tmp_path):
    family = socket.AF_INET if request.param == "UDP" else socket.AF_UNIX
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0) if request.param == "UDP" else str(tmp_path / "me"))
        sender = Sender(s, server.places[request.param])
        sender.one("FLUSHALL")
        yield sender


# ---------------------------------------------------------------- requests and replies


def test_one_command_and_several(sender):
    assert sender.raw(b"PING\r\n") == b"+PONG\r\n"
    assert sender.raw(b"SET k 'a b'\r\nGET k\r\n\r\nINCR n\r\n") == b"+OK\r\n$3\r\na b\r\n:1\r\n"
    assert sender.all("INCR n", "NOSUCH", "MGET n none") == [
        2,
        "ERR unknown command 'NOSUCH', with args beginning with: ",
        [b"2", None],
    ]


def test_datagrams_and_connections_share_the_store(sender, server):
    with Connection(server.port) as client:
        assert client.cmd("SET", "k", "v") == b"OK"
        assert sender.all("GET k", "SET k w") == [b"v", b"OK"]
        assert client.cmd("GET", "k") == b"w"


def test_nothing_lasts_behind_a_datagram(sender, server):
    assert (
        sender.all("HELLO 3", "SELECT 5", "CLIENT SETNAME me", "SET k v", "MULTI", "INCR n")[-1] == b"QUEUED"
    )
    assert sender.all("GET k", "CLIENT GETNAME", "EXEC") == [None, None, "ERR EXEC without MULTI"]
    assert sender.all("MULTI", "INCR n", "EXEC") == [b"OK", b"QUEUED", [1]]
    with Connection(server.port) as client:
        until(lambda: client.cmd("CLIENT", "LIST").count(b"\n") == 1)  # the last test's connection is gone
        assert b"connected_clients:1\r\n" in client.cmd("INFO", "clients")


def test_client_list_shows_the_sender(sender, server):
    until(lambda: sender.one("CLIENT LIST").count(b"\n") == 1)  # the last test's connection is gone
    line = sender.one("CLIENT LIST").decode()
    name = sender.socket.getsockname()
    expected = f"{name}:0" if isinstance(name, str) else "{}:{}".format(*name)
    assert re.search(r" addr=(\S+) ", line)[1] == expected
    assert ("flags=U " in line) == isinstance(name, str)
    assert b"connected_clients:1\r\n" in sender.one("INFO clients")


@pytest.mark.parametrize(
    "line", ["SUBSCRIBE c", "PSUBSCRIBE *", "SSUBSCRIBE c", "MONITOR", "CLIENT TRACKING ON"]
)
def test_what_needs_a_connection_is_refused_by_name(sender, line):
    name = "CLIENT TRACKING" if line.startswith("CLIENT") else line.split()[0]
    text = f"ERR {name} is not available with datagrams: there is no connection to send messages on"
    *_, (inside,) = sender.all("MULTI", line, "EXEC")
    assert isinstance(inside, ReplyError)
    assert sender.one(line) == text


def test_nobody_waits_for_a_key(sender):
    sender.one("RPUSH k v")
    assert sender.one("BLPOP k 0") == [b"k", b"v"]
    text = "ERR BLPOP can't wait with datagrams: there is no connection to send messages on"
    assert sender.one("BLPOP k 0") == text
    assert sender.all("MULTI", "BLPOP k 0", "EXEC")[-1] == [None]


def test_quiet_commands_have_no_answer(sender):
    assert sender.is_unanswered(b"CLIENT REPLY OFF\r\nSET k v\r\n")
    assert sender.one("GET k") == b"v"


def test_quit_ends_the_datagram(sender):
    assert sender.raw(b"QUIT\r\nSET k v\r\n") == b"+OK\r\n"
    assert sender.one("EXISTS k") == 0


def test_password(sender, server):
    with Connection(server.port) as admin:
        admin.cmd("CONFIG", "SET", "requirepass", "secret")
        try:
            assert sender.all("PING", "AUTH secret", "PING") == [
                "NOAUTH Authentication required.",
                b"OK",
                b"PONG",
            ]
            assert sender.one("PING") == "NOAUTH Authentication required."
            assert sender.all("AUTH wrong", "GET k")[1] == "NOAUTH Authentication required."
        finally:
            admin.cmd("CONFIG", "SET", "requirepass", "")


def test_datagrams_do_not_wait_for_a_pause(sender, server):
    with Connection(server.port) as admin:
        admin.cmd("CLIENT", "PAUSE", 100_000, "WRITE")
        assert sender.all("PING", "SET k v") == [
            b"PONG",
            "ERR clients are paused, and a datagram does not wait",
        ]
        assert sender.one("PING") == b"PONG"
        assert b"blocked_clients:0\r\n" in admin.cmd("INFO", "clients")
        admin.cmd("CLIENT", "UNPAUSE")
        assert admin.cmd("EXISTS", "k") == 0


# ---------------------------------------------------------------- sizes


def test_replies_up_to_what_a_datagram_holds(udp):
    most = UDP_MOST - len(b"+PONG\r\n$65493\r\n\r\n")
    udp.all("DEL k", f"SETRANGE k {most - 1} x")
    assert udp.all("PING", "GET k") == [b"PONG", bytes(most - 1) + b"x"]
    assert len(udp.raw(request("PING") + request("GET", "k"))) == UDP_MOST
    assert len(udp.raw(request("ECHO", "x" * 65_000))) == len(b"$65000\r\n") + 65_002
    assert udp.raw(request("GET", "k") * 2) == b"-ERR too large\r\n"
    udp.all(f"SETRANGE k {UDP_MOST} x")
    assert udp.raw(request("GET", "k")) == b"-ERR too large\r\n"
    assert udp.raw(request("MGET", *["k"] * 3000)) == b"-ERR too large\r\n"
    assert udp.one("STRLEN k") == UDP_MOST + 1


def test_unix_replies_up_to_the_sockets_limit(server, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(str(tmp_path / "me"))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        sender = Sender(s, server.places["Unix"])
        sender.all("DEL k", "SETRANGE k 99999 x")
        assert len(sender.one("GET k")) == 100_000
        sender.all("SETRANGE k 999999 x")
        assert sender.raw(request("GET", "k")) == b"-ERR too large\r\n"
        assert sender.raw(request("SET", "k", "x" * 70_000)) == b"-ERR request too large\r\n"
        assert sender.one("STRLEN k") == 1_000_000


# ---------------------------------------------------------------- garbage


@pytest.mark.parametrize(
    "cut",
    [
        b"PING",
        b"*1\r\n$4\r\nPI",
        b"*2\r\n",
        b"*1",
        b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$60000\r\n" + b"x" * 40_000,
    ],
)
def test_cut_requests_are_errors(sender, cut):
    cut_short = b"-ERR Protocol error: the datagram ends in the middle of a request\r\n"
    assert sender.raw(cut) == cut_short
    assert sender.raw(b"INCR n\r\n" + cut) == b":1\r\n" + cut_short
    assert sender.all("GET n", "EXISTS k") == [b"1", 0]


def test_violations_are_errors(sender):
    assert sender.raw(b"*1\r\n+x\r\n") == b"-ERR Protocol error: expected '$', got '+'\r\n"
    assert sender.raw(b"*1\r\n$-5\r\n") == b"-ERR Protocol error: invalid bulk length\r\n"


def test_errors_and_empty_datagrams_are_not_answered(sender):
    """Else two servers could answer each other for ever, if someone forged the first datagram."""
    assert sender.is_unanswered(b"-ERR too large\r\n")
    assert sender.is_unanswered(b"-")
    assert sender.is_unanswered(b"")
    assert sender.is_unanswered(b"\r\n\r\n")


def test_garbage(udp):
    """Whatever comes, the server goes on."""
    random = os.urandom
    frame = request("SET", "k", "v" * 100) + request("GET", "k")
    for i in range(300):
        data = random(i * 7 % 900 + 1) if i % 2 else frame[: i % len(frame)] + random(3) + frame[i % 50 :]
        udp.socket.sendto(data, udp.place)
        udp.socket.sendto(request("ECHO", f"{i}"), udp.place)
        while not udp.socket.recv(1 << 20).endswith(b"\r\n%d\r\n" % i):
            pass


def test_many_senders_at_once(server):
    counts = []

    def send(i):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            sender = Sender(s, server.places["UDP"])
            counts.append([sender.all("INCR total", f"INCR n{i}")[1] for _ in range(100)])

    with Connection(server.port) as client:
        client.cmd("FLUSHALL")
    threads = [threading.Thread(target=send, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert counts == [list(range(1, 101))] * 8
    with Connection(server.port) as client:
        assert client.cmd("GET", "total") == b"800"


def test_sender_without_a_name_is_served_but_not_answered(server):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s, Connection(server.port) as client:
        client.cmd("DEL", "nameless")
        for _ in range(5):
            s.sendto(b"INCR nameless\r\n", server.places["Unix"])
        while client.cmd("GET", "nameless") != b"5":
            pass
