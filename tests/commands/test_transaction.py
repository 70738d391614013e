"""MULTI, EXEC, DISCARD, as their one client sees them."""

import socket

import pytest

import minikv

OOM = "OOM command not allowed when used memory > 'maxmemory'."
ABORTED = "EXECABORT Transaction discarded because of previous errors."


@pytest.fixture
def one(connect, protocol):
    return connect(protocol)


def test_commands_run_at_exec(connect, one):
    other = connect()
    assert one.all("MULTI", "SET k 1", "INCR k", "GET k", "PING") == [b"OK"] + 4 * [b"QUEUED"]
    assert other.cmd("GET", "k") is None
    assert one.cmd("EXEC") == [b"OK", 2, b"2", b"PONG"]
    assert other.cmd("GET", "k") == b"2"


def test_nothing_queued(one):
    assert one.all("MULTI", "EXEC") == [b"OK", []]


def test_discard(one):
    assert one.all("SET k 1", "MULTI", "SET k 2", "DISCARD", "GET k") == [
        b"OK",
        b"OK",
        b"QUEUED",
        b"OK",
        b"1",
    ]
    assert one.error("EXEC") == "ERR EXEC without MULTI"


def test_outside_of_multi(one):
    assert one.error("EXEC") == "ERR EXEC without MULTI"
    assert one.error("DISCARD") == "ERR DISCARD without MULTI"


def test_multi_does_not_nest(one):
    one.cmd("MULTI")
    assert one.error("MULTI") == "ERR MULTI calls can not be nested"
    assert one.all("PING", "EXEC") == [b"QUEUED", [b"PONG"]]


def test_watch_is_refused_inside(one):
    one.cmd("MULTI")
    assert one.error("WATCH", "k") == "ERR WATCH inside MULTI is not allowed"
    assert one.all("PING", "UNWATCH", "EXEC") == [b"QUEUED", b"QUEUED", [b"PONG", b"OK"]]


@pytest.mark.parametrize("bad", ["NOSUCH a b", "GET", "PUBSUB NOSUCH", "DISCARD 1"])
def test_what_cannot_be_queued_spoils_the_transaction(one, bad):
    one.all("MULTI", "SET k 1")
    one.error(*bad.split())
    assert one.cmd("SET", "k", "2") == b"QUEUED"
    assert one.error("EXEC") == ABORTED
    assert one.all("GET k", "PING") == [None, b"PONG"]


def test_exec_with_arguments(one):
    one.all("MULTI", "SET k 1")
    assert one.error("EXEC", "x") == (
        "EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command"
    )
    assert one.error("EXEC") == "ERR EXEC without MULTI"
    assert one.cmd("GET", "k") is None


def test_errors_at_exec_stop_nothing(one):
    one.all("SET k text", "MULTI", "INCR k", "SET other 1")
    failed, stored = one.cmd("EXEC")
    assert str(failed) == "ERR value is not an integer or out of range"
    assert stored == b"OK"
    assert one.cmd("GET", "other") == b"1"


def test_databases(one):
    assert one.all("MULTI", "SELECT 3", "SET k 3", "SELECT 4", "SET k 4", "EXEC")[-1] == 4 * [b"OK"]
    assert one.all("GET k", "SELECT 3", "GET k") == [b"4", b"OK", b"3"]
    assert one.all("MULTI", "SELECT 99", "EXEC")[-1][0].args == ("ERR DB index is out of range",)


def test_reset_and_quit_leave_at_once(one):
    assert one.all("MULTI", "SET k 1", "RESET") == [b"OK", b"QUEUED", b"RESET"]
    assert one.error("EXEC") == "ERR EXEC without MULTI"
    assert one.all("MULTI", "SET k 1", "QUIT") == [b"OK", b"QUEUED", b"OK"]
    with pytest.raises(EOFError):
        one.read()


@pytest.mark.parametrize("size", [0, 1, 1000, 16_384, 32_768, 100_000, 3_000_000])
def test_values_of_all_sizes(server, one, size):
    value = bytes(range(48, 58)) * (size // 10) + b"x" * (size % 10)
    one.cmd("MULTI")
    for command in (
        ["SET", "k", value],
        ["APPEND", "k", value],
        ["ECHO", value],
        ["GET", "k"],
        ["SET", "j", value],
    ):
        assert one.cmd(*command) == b"QUEUED"
    assert one.cmd("EXEC") == [b"OK", 2 * size, value, 2 * value, b"OK"]
    assert one.cmd("GET", "j") == value


@pytest.mark.parametrize("last", ["DISCARD", "RESET", "EXEC"])
def test_queued_values_that_no_command_takes_are_freed(last):
    """By the store's exact count of bytes in use."""
    with minikv.Server(port=0) as server:
        used = []
        for _ in range(3):
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=20)
            stream = connection.makefile("rwb")
            size = 1_000_000
            stream.write(b"MULTI\r\n*2\r\n$4\r\nECHO\r\n$%d\r\n%b\r\n" % (size, b"v" * size))
            if last == "EXEC":
                stream.write(b"NOSUCH\r\n")
            stream.write(last.encode() + b"\r\nQUIT\r\n")
            stream.flush()
            assert stream.read().endswith(b"+OK\r\n")
            connection.close()
            used.append(server.engine.memory()["arena_used"])
        assert used[0] == used[1] == used[2]


def test_a_queue_over_the_input_limit_closes_the_connection(connect, one):
    other = connect()
    other.cmd("CONFIG", "SET", "client-query-buffer-limit", 1_048_576)
    try:
        one.cmd("MULTI")
        with pytest.raises((EOFError, ConnectionError)):
            for _ in range(30):
                one.cmd("SET", "k", "v" * 100_000)
    finally:
        other.cmd("CONFIG", "SET", "client-query-buffer-limit", 1 << 30)
    assert other.cmd("GET", "k") is None


def test_memory_that_lacks_at_exec(connect, one):
    other = connect()
    assert one.all("MULTI", "GET k", "PING") == [b"OK", b"QUEUED", b"QUEUED"]
    second = connect()
    second.all("MULTI", "SET k v")
    other.cmd("CONFIG", "SET", "maxmemory", 1)
    try:
        assert one.cmd("EXEC") == [None, b"PONG"]
        assert second.error("EXEC") == f"EXECABORT Transaction discarded because of: {OOM}"
        assert second.error("EXEC") == "ERR EXEC without MULTI"
        second.cmd("MULTI")
        assert second.error("SET", "k", "v") == OOM
        assert second.cmd("DISCARD") == b"OK"
        second.cmd("MULTI")
        assert second.error("SET", "k", "v") == OOM
        assert second.error("EXEC") == ABORTED
    finally:
        other.cmd("CONFIG", "SET", "maxmemory", 0)


def test_store_in_the_process():
    with minikv.Store() as store:
        assert store.execute("MULTI") == b"OK"
        assert store.execute("SET", "k", "v") == b"QUEUED"
        assert store.execute("GET", "k") == b"QUEUED"
        assert store.execute("EXEC") == [b"OK", b"v"]
        with pytest.raises(minikv.ReplyError, match="ERR EXEC without MULTI"):
            store.execute("EXEC")


# ---------------------------------------------------------------- CLIENT REPLY

OFF, ON, SKIP = (f"CLIENT REPLY {mode}" for mode in ("OFF", "ON", "SKIP"))
QUEUED = b"+QUEUED\r\n"


@pytest.mark.parametrize(
    ("requests", "expected"),
    [
        (["MULTI", OFF, "ECHO 1", "EXEC", ON], b"+OK\r\n" + 2 * QUEUED + b"*2\r\n+OK\r\n"),
        (["MULTI", OFF, "INCR text", "EXEC", ON], b"+OK\r\n" + 2 * QUEUED + b"*2\r\n+OK\r\n"),
        (
            ["MULTI", "ECHO 1", OFF, "ECHO 2", ON, "ECHO 3", "EXEC"],
            b"+OK\r\n" + 5 * QUEUED + b"*5\r\n$1\r\n1\r\n+OK\r\n$1\r\n3\r\n",
        ),
        (
            ["MULTI", "ECHO 1", SKIP, "ECHO 2", "EXEC", "ECHO 3"],
            b"+OK\r\n" + 3 * QUEUED + b"*3\r\n$1\r\n1\r\n$1\r\n2\r\n",
        ),
        (["MULTI", SKIP, ON, "EXEC", "ECHO 1"], b"+OK\r\n" + 2 * QUEUED + b"*2\r\n+OK\r\n"),
        ([OFF, "MULTI", "ECHO 1", ON, "ECHO 2", "EXEC"], b"+OK\r\n$1\r\n2\r\n"),
        ([OFF, "MULTI", "ECHO 1", ON, "ECHO 2", OFF, "ECHO 3", "EXEC", ON], b"+OK\r\n$1\r\n2\r\n+OK\r\n"),
        ([OFF, "EXEC", ON], b"+OK\r\n"),
        ([OFF, "MULTI", "NONE", "EXEC", ON], b"+OK\r\n"),
        ([OFF, "WATCH k", "SET k v", "MULTI", "EXEC", ON], b"+OK\r\n"),
        ([SKIP, "MULTI", "ECHO 1", "EXEC"], QUEUED + b"*1\r\n$1\r\n1\r\n"),
        (["MULTI", "ECHO 1", SKIP, "EXEC", "ECHO 2"], b"+OK\r\n" + 2 * QUEUED + b"*2\r\n$1\r\n1\r\n"),
        ([SKIP, "RESET", "ECHO 1"], b"$1\r\n1\r\n"),
    ],
)
def test_client_reply_inside_a_transaction(connect, requests, expected):
    """What is left out is each command's own reply, at once: of EXEC's array only its parts."""
    client = connect()
    client.cmd("SET", "text", "abc")
    for request in requests:
        client.send(*request.split())
    assert client.exchange("PING") == expected + b"+PONG\r\n"


def test_exec_that_is_refused_outside_a_transaction(connect):
    client = connect()
    text = "EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command"
    assert client.error("EXEC", "a") == text
    client.cmd("SUBSCRIBE", "c")
    assert client.error("EXEC").startswith("EXECABORT Transaction discarded because of: Can't execute 'exec'")
