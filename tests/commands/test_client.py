"""CLIENT: lists, names, kills, pauses and replies."""

import re
import socket
import time

import pytest
from client_list import fields
from connections import Connection, until

import minikv

LINE = re.compile(
    r"id=\d+ addr=\S+:\d+ laddr=\S+:\d+ fd=\d+ name=\S* age=\d+ idle=\d+ flags=\w+ db=\d+ sub=\d+ psub=\d+ "
    r"ssub=\d+ multi=-?\d+ watch=\d+ qbuf=\d+ qbuf-free=\d+ argv-mem=\d+ multi-mem=\d+ rbs=\d+ rbp=\d+ "
    r"obl=\d+ oll=\d+ omem=\d+ tot-mem=\d+ events=rw? cmd=\S+ user=default redir=-1 resp=[23] lib-name=\S* "
    r"lib-ver=\S* io-thread=0 tot-net-in=\d+ tot-net-out=\d+ tot-cmds=\d+\n"
)
SYNTAX = "ERR syntax error"
BAD_NAME = "ERR Client names cannot contain spaces, newlines or special characters."


@pytest.fixture
def server(tmp_path):
    """A server that no other test sees."""
    with minikv.Server(port=0, unixsocket=str(tmp_path / "s")) as server:
        yield server


@pytest.fixture
def connect(server):
    """Makes connections, with a name if one is given; nobody else is connected."""
    opened = []

    def connect(protocol=2, name=None):
        opened.append(Connection(server.port, protocol))
        if name:
            opened[-1].cmd("CLIENT", "SETNAME", name)
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


def listed(client, *words):
    """CLIENT LIST as dictionaries by name."""
    lines = client.cmd("CLIENT", "LIST", *words).decode().splitlines()
    return {fields(line)["name"]: fields(line) for line in lines}


# ---------------------------------------------------------------- the session itself


def test_ids_rise(connect):
    first, second = connect(), connect()
    assert 0 < first.cmd("CLIENT", "ID") < second.cmd("CLIENT", "ID")


def test_names(connect, protocol):
    c = connect(protocol)
    assert c.exchange("CLIENT", "GETNAME") == (b"$-1\r\n" if protocol == 2 else b"_\r\n")
    assert c.exchange("client", "setname", "me!~") == b"+OK\r\n"
    assert c.exchange("CLIENT", "GETNAME") == b"$4\r\nme!~\r\n"
    for bad in ["a b", "a\nb", "é", "\x7f", "\x00"]:
        assert c.error("CLIENT", "SETNAME", bad) == BAD_NAME
    assert c.cmd("CLIENT", "GETNAME") == b"me!~"
    assert c.cmd("CLIENT", "SETNAME", "") == b"OK"
    assert c.cmd("CLIENT", "GETNAME") is None


def test_library_names(connect):
    c = connect()
    assert c.cmd("CLIENT", "SETINFO", "lib-name", "lib(x)") == b"OK"
    assert c.cmd("CLIENT", "SETINFO", "LIB-VER", "1.2.3") == b"OK"
    assert c.error("CLIENT", "SETINFO", "lib-name", "a b") == (
        "ERR lib-name cannot contain spaces, newlines or special characters."
    )
    assert c.error("CLIENT", "SETINFO", "lib-ver", "\n") == (
        "ERR lib-ver cannot contain spaces, newlines or special characters."
    )
    assert c.error("CLIENT", "SETINFO", "badger", "x") == "ERR Unrecognized option 'badger'"
    line = fields(c.cmd("CLIENT", "INFO").decode())
    assert (line["lib-name"], line["lib-ver"]) == ("lib(x)", "1.2.3")
    c.cmd("CLIENT", "SETINFO", "lib-name", "")
    assert fields(c.cmd("CLIENT", "INFO").decode())["lib-name"] == ""


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((), "ERR wrong number of arguments for 'client' command"),
        (("FOO",), "ERR unknown subcommand 'FOO'. Try CLIENT HELP."),
        (("ID", "x"), "ERR wrong number of arguments for 'client|id' command"),
        (("SETINFO", "lib-name"), "ERR wrong number of arguments for 'client|setinfo' command"),
        (("REPLY", "x"), SYNTAX),
        (("NO-EVICT", "x"), SYNTAX),
        (("NO-TOUCH", "x"), SYNTAX),
        (("LIST", "x"), SYNTAX),
        (("LIST", "TYPE"), SYNTAX),
        (("LIST", "TYPE", "x"), "ERR Unknown client type 'x'"),
        (("LIST", "TYPE", "normal", "ID", 1), SYNTAX),
        (("LIST", "ID"), SYNTAX),
        (("LIST", "ID", "x"), "ERR Invalid client ID"),
        (("LIST", "ID", 1, "1.5"), "ERR Invalid client ID"),
        (("KILL",), "ERR wrong number of arguments for 'client|kill' command"),
        (("KILL", "1.1.1.1:1"), "ERR No such client"),
        (("KILL", "ID", 1, "x"), SYNTAX),
        (("KILL", "ID", "x"), "ERR client-id should be greater than 0"),
        (("KILL", "ID", 0), "ERR client-id should be greater than 0"),
        (("KILL", "TYPE", "x"), "ERR Unknown client type 'x'"),
        (("KILL", "USER", "nobody"), "ERR No such user 'nobody'"),
        (("KILL", "SKIPME", "x"), SYNTAX),
        (("KILL", "FOO", "x"), SYNTAX),
        (("KILL", "MAXAGE", "x"), "ERR maxage is not an integer or out of range"),
        (("KILL", "MAXAGE", 2**64), "ERR maxage is not an integer or out of range"),
        (("KILL", "MAXAGE", -1), "ERR maxage should be greater than 0"),
        (("PAUSE", "x"), "ERR timeout is not an integer or out of range"),
        (("PAUSE", "1.5"), "ERR timeout is not an integer or out of range"),
        (("PAUSE", -1), "ERR timeout is negative"),
        (("PAUSE", 2**63 - 1), "ERR timeout is out of range"),
        (("PAUSE", 1, "x"), "ERR CLIENT PAUSE mode must be WRITE or ALL"),
        (
            ("PAUSE", 1, "ALL", "x"),
            "ERR unknown subcommand or wrong number of arguments for 'PAUSE'. Try CLIENT HELP.",
        ),
        (("UNBLOCK", "x"), "ERR value is not an integer or out of range"),
        (("UNBLOCK", 1, "x"), "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"),
        (
            ("UNBLOCK", 1, "ERROR", "x"),
            "ERR unknown subcommand or wrong number of arguments for 'UNBLOCK'. Try CLIENT HELP.",
        ),
    ],
)
def test_errors(connect, words, text):
    assert connect().error("CLIENT", *words) == text


def test_small_replies(connect):
    c = connect()
    assert c.cmd("CLIENT", "GETREDIR") == -1
    assert c.cmd("CLIENT", "UNBLOCK", 999) == 0
    assert c.cmd("CLIENT", "UNBLOCK", c.cmd("CLIENT", "ID"), "error") == 0
    assert c.cmd("CLIENT", "UNPAUSE") == b"OK"
    help_text = c.exchange("CLIENT", "HELP")
    assert help_text.startswith(b"*")
    assert b"\r\n+CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\r\n" in help_text


# ---------------------------------------------------------------- lists


def test_info_and_list(connect, protocol):
    c = connect(protocol, "me")
    text = c.cmd("CLIENT", "INFO").decode()
    assert LINE.fullmatch(text), text
    line = fields(text)
    assert line["id"] == str(c.cmd("CLIENT", "ID"))
    assert line["addr"] == c.address
    assert line["laddr"] == c.server_address
    assert (line["qbuf"], line["cmd"], line["resp"]) == ("26", "client|info", str(protocol))
    text = c.cmd("CLIENT", "LIST").decode()
    assert LINE.fullmatch(text), text
    assert (fields(text)["argv-mem"], fields(text)["cmd"]) == ("10", "client|list")
    start = b"=" if protocol == 3 else b"$"
    assert c.exchange("CLIENT", "INFO").startswith(start)
    if protocol == 3:
        assert b"\r\ntxt:id=" in c.exchange("CLIENT", "LIST")


def test_states_in_the_list(connect):
    me = connect(name="me")
    subscriber = connect(name="subscriber")
    subscriber.cmd("SUBSCRIBE", "a", "b")
    subscriber.read()
    subscriber.cmd("PSUBSCRIBE", "a*")
    subscriber.cmd("SSUBSCRIBE", "a")
    queueing = connect(name="queueing")
    queueing.cmd("SELECT", 2)
    queueing.cmd("WATCH", "k1", "k2")
    queueing.cmd("MULTI")
    queueing.cmd("SET", "k1", "v")
    monitor = connect(name="monitor")
    monitor.cmd("MONITOR")
    switches = connect(3, "switches")
    switches.cmd("CLIENT", "NO-EVICT", "ON")
    switches.cmd("CLIENT", "NO-TOUCH", "ON")
    lines = listed(me)
    found = {name: (line["flags"], line["cmd"]) for name, line in lines.items()}
    assert found == {
        "me": ("N", "client|list"),
        "subscriber": ("P", "ssubscribe"),
        "queueing": ("x", "set"),
        "monitor": ("O", "monitor"),
        "switches": ("eT", "client|no-touch"),
    }
    line = lines["subscriber"]
    assert (line["sub"], line["psub"], line["ssub"]) == ("2", "1", "1")
    line = lines["queueing"]
    assert (line["db"], line["multi"], line["watch"]) == ("2", "1", "2")
    assert int(line["multi-mem"]) > 0
    assert lines["switches"]["resp"] == "3"
    me.cmd("SELECT", 2)
    me.cmd("SET", "k1", "v")
    line = listed(me)["queueing"]
    assert (line["flags"], line["watch"]) == ("xd", "0")


def test_filters_of_the_list(connect):
    me = connect(name="me")
    subscriber = connect(name="subscriber")
    subscriber.cmd("PSUBSCRIBE", "*")
    other = connect(name="other")
    my_id, other_id = me.cmd("CLIENT", "ID"), other.cmd("CLIENT", "ID")
    assert set(listed(me)) == {"me", "subscriber", "other"}
    assert set(listed(me, "TYPE", "NORMAL")) == {"me", "other"}
    assert set(listed(me, "type", "pubsub")) == {"subscriber"}
    for kind in ("master", "replica", "slave"):
        assert listed(me, "TYPE", kind) == {}
    assert list(listed(me, "ID", other_id, my_id)) == ["other", "me"]
    assert listed(me, "ID", 10**6, -1) == {}
    assert me.exchange("CLIENT", "LIST", "ID", 10**6) == b"$0\r\n\r\n"


def test_unix_socket(server):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(server.settings["unixsocket"])
        s.sendall(b"CLIENT INFO\r\n")
        line = fields(s.recv(4096).split(b"\r\n")[1].decode())
    address = server.settings["unixsocket"] + ":0"
    assert (line["addr"], line["laddr"], line["flags"]) == (address, address, "U")


def test_counters(connect):
    c = connect()
    c.cmd("SET", "k", "v")
    line = fields(c.cmd("CLIENT", "INFO").decode())
    assert line["tot-cmds"] == "1"
    assert line["tot-net-in"] == str(27 + 26)
    assert line["tot-net-out"] == "5"


def test_info_of_a_store():
    with minikv.Store() as store:
        assert b" addr=?:0 laddr=?:0 fd=-1 " in store.execute("CLIENT", "INFO")
        assert store.execute("CLIENT", "LIST") == b""


# ---------------------------------------------------------------- KILL


def test_kill_by_address(connect):
    me, other = connect(), connect()
    assert me.cmd("CLIENT", "KILL", other.address) == b"OK"
    assert other.is_closed()
    assert me.cmd("CLIENT", "KILL", "ADDR", other.address) == 0
    assert me.cmd("CLIENT", "KILL", me.address) == b"OK"
    assert me.is_closed()


def test_kill_by_filters(connect):
    me = connect(name="me")
    a, b = connect(name="a"), connect(name="b")
    b.cmd("SUBSCRIBE", "c")
    a_id = a.cmd("CLIENT", "ID")
    assert me.cmd("CLIENT", "KILL", "ID", a_id, "TYPE", "pubsub") == 0
    assert me.cmd("CLIENT", "KILL", "ID", a_id, "USER", "default", "ADDR", a.address) == 1
    assert a.is_closed()
    assert me.cmd("CLIENT", "KILL", "TYPE", "PUBSUB") == 1
    assert b.is_closed()
    until(lambda: set(listed(me)) == {"me"})


def test_kill_by_a_filter_given_twice(connect):
    """The last one counts."""
    me, a, b = connect(), connect(), connect()
    ids = [client.cmd("CLIENT", "ID") for client in (a, b)]
    assert me.cmd("CLIENT", "KILL", "ID", ids[0], "TYPE", "pubsub", "id", ids[1], "type", "normal") == 1
    assert b.is_closed()
    assert a.cmd("PING") == b"PONG"


def test_kill_spares_the_caller_unless_told(connect):
    me = connect()
    others = [connect(), connect()]
    for other in others:
        other.cmd("PING")
    assert me.cmd("CLIENT", "KILL", "LADDR", me.server_address) == 2
    assert all(other.is_closed() for other in others)
    assert me.cmd("CLIENT", "KILL", "SKIPME", "yes") == 0
    assert me.cmd("CLIENT", "KILL", "SKIPME", "no") == 1
    assert me.is_closed()


def test_kill_by_age(connect):
    me, other = connect(), connect()
    other.cmd("PING")
    assert me.cmd("CLIENT", "KILL", "MAXAGE", 1000) == 0
    until(lambda: me.cmd("CLIENT", "KILL", "MAXAGE", 1) == 1)
    assert other.is_closed()


# ---------------------------------------------------------------- REPLY


def test_reply_off_and_on(connect):
    c = connect()
    c.send("CLIENT", "REPLY", "OFF")
    c.send("PING")
    c.send("NOSUCH")
    c.send("SET", "k")
    c.send("CLIENT", "REPLY", "SKIP")
    c.send("PING")
    assert c.cmd("CLIENT", "REPLY", "ON") == b"OK"
    assert c.cmd("ECHO", "x") == b"x"


def test_reply_skip(connect):
    c = connect()
    c.send("CLIENT", "REPLY", "SKIP")
    c.send("ECHO", "unseen")
    assert c.cmd("ECHO", "seen") == b"seen"
    c.send("CLIENT", "REPLY", "SKIP")
    c.send("CLIENT", "REPLY", "SKIP")
    c.send("ECHO", "unseen")
    assert c.cmd("ECHO", "seen") == b"seen"
    c.send("CLIENT", "REPLY", "SKIP")
    assert c.cmd("CLIENT", "REPLY", "ON") == b"OK"
    assert c.cmd("ECHO", "seen") == b"seen"
    c.send("CLIENT", "REPLY", "SKIP")
    c.send("SET", "k")
    assert c.cmd("ECHO", "seen") == b"seen"


def test_reply_off_lets_messages_through(connect):
    c = connect(3)
    c.send("SUBSCRIBE", "c")
    c.read()
    c.send("CLIENT", "REPLY", "OFF")
    c.send("PING")
    me = connect()
    until(lambda: fields(me.cmd("CLIENT", "LIST", "TYPE", "pubsub").decode())["cmd"] == "ping")
    assert me.cmd("PUBLISH", "c", "text") == 1
    assert c.read() == [b"message", b"c", b"text"]


# ---------------------------------------------------------------- PAUSE


def held_back(client):
    """Names of the sessions that a pause holds back."""
    return {name for name, line in listed(client).items() if "b" in line["flags"]}


def test_pause_of_writes(connect):
    me, writer, reader = connect(name="me"), connect(name="writer"), connect(name="reader")
    assert me.cmd("CLIENT", "PAUSE", 100_000, "write") == b"OK"
    writer.send("SET", "k", "paused")
    until(lambda: held_back(me) == {"writer"})
    assert listed(me)["writer"]["cmd"] == "set"
    assert reader.cmd("GET", "k") is None
    assert reader.cmd("MULTI") == b"OK"
    assert reader.cmd("SET", "k", "later") == b"QUEUED"
    reader.send("EXEC")
    until(lambda: held_back(me) == {"writer", "reader"})
    assert me.error("SET", "k") == "ERR wrong number of arguments for 'set' command"
    publisher = connect(name="publisher")
    publisher.send("PUBLISH", "c", "x")
    until(lambda: "publisher" in held_back(me))
    assert me.cmd("CLIENT", "UNPAUSE") == b"OK"
    assert writer.read() == b"OK"
    assert reader.read() == [b"OK"]
    assert publisher.read() == 0
    assert held_back(me) == set()


def test_pause_of_everything_ends_by_itself(connect):
    me, other = connect(), connect()
    other.cmd("PING")
    start = time.monotonic()
    assert me.cmd("CLIENT", "PAUSE", 150) == b"OK"
    assert other.cmd("PING") == b"PONG"
    assert time.monotonic() - start >= 0.14


def test_a_weaker_pause_does_not_shorten_a_stronger(connect):
    me, other = connect(), connect()
    other.cmd("PING")
    start = time.monotonic()
    assert me.cmd("CLIENT", "PAUSE", 200, "ALL") == b"OK"
    assert me.cmd("CLIENT", "PAUSE", 1, "WRITE") == b"OK"
    assert other.cmd("GET", "k") is None
    assert time.monotonic() - start >= 0.19


def test_the_pause_begins_behind_its_transaction(connect):
    me = connect(name="me")
    me.cmd("MULTI")
    me.cmd("SET", "k", 1)
    me.cmd("CLIENT", "PAUSE", 100_000, "WRITE")
    me.cmd("SET", "k", 2)
    assert me.cmd("EXEC") == [b"OK", b"OK", b"OK"]
    assert me.cmd("GET", "k") == b"2"
    other = connect(name="other")
    other.send("SET", "k", 3)
    until(lambda: held_back(me) == {"other"})
    me.cmd("CLIENT", "UNPAUSE")
    assert other.read() == b"OK"


def test_a_paused_client_can_be_killed(connect):
    me, other = connect(name="me"), connect(name="other")
    me.cmd("CLIENT", "PAUSE", 100_000, "WRITE")
    other.send("SET", "k", 1)
    until(lambda: held_back(me) == {"other"})
    assert me.cmd("CLIENT", "KILL", "ADDR", other.address) == 1
    assert other.is_closed()
    me.cmd("CLIENT", "UNPAUSE")
    assert me.cmd("GET", "k") is None


@pytest.mark.parametrize("cut", [0, 10, 29, 100, 40_000, 900_000, 1_000_040])
@pytest.mark.parametrize("ahead", [b"", b"SET small v\r\n"], ids=["alone", "behind another"])
def test_pause_holds_large_arguments_back(connect, cut, ahead):
    """Also if they are half there when the pause begins, with small arguments behind them."""
    me, writer = connect(name="me"), connect(name="writer")
    value = bytes(range(250)) * 4000
    requests = ahead + (
        b"*5\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000000\r\n%b\r\n$2\r\nEX\r\n$3\r\n100\r\n" % value
        + b"*3\r\n$6\r\nAPPEND\r\n$1\r\nk\r\n$1000000\r\n%b\r\nSTRLEN k\r\n" % value
    )
    writer.socket.sendall(requests[:cut])
    if cut:
        until(lambda: int(listed(me)["writer"]["tot-net-in"]) >= cut)
    me.cmd("CLIENT", "PAUSE", 100_000, "WRITE")
    writer.socket.sendall(requests[cut:])
    until(lambda: held_back(me) == {"writer"})
    assert me.cmd("EXISTS", "k") == 0
    until(lambda: int(listed(me)["writer"]["tot-net-in"]) >= len(requests))
    me.cmd("CLIENT", "UNPAUSE")
    if ahead:
        assert writer.read() == b"OK"
    assert [writer.read() for _ in range(3)] == [b"OK", 2_000_000, 2_000_000]
    assert me.cmd("GET", "k") == value + value
    assert 90 < me.cmd("TTL", "k") <= 100


def test_pause_holds_inline_requests_back(connect):
    """Their quotes and escapes are still to be read when the pause ends."""
    me, writer = connect(name="me"), connect(name="writer")
    me.cmd("CLIENT", "PAUSE", 100_000, "WRITE")
    writer.socket.sendall(b"""SET "a b" 'it\\'s'\r\nGET "a b"\r\nSET x "\\x41\\n"\r\nGET x\r\nGET "x""")
    until(lambda: held_back(me) == {"writer"})
    me.cmd("CLIENT", "UNPAUSE")
    assert [writer.read() for _ in range(4)] == [b"OK", b"it's", b"OK", b"A\n"]
    writer.socket.sendall(b'"\r\n')
    assert writer.read() == b"A\n"


def test_pause_ends_with_the_server():
    """What is held back is never run."""
    with minikv.Server(port=0) as server:
        writer, me = Connection(server.port), Connection(server.port)
        me.cmd("CLIENT", "PAUSE", 100_000, "WRITE")
        writer.send("SET", "k", "v" * 100_000)
        until(lambda: b"blocked_clients:1" in me.cmd("INFO", "clients"))
    assert writer.is_closed()
    assert writer.received == b""
    writer.close()
    me.close()
