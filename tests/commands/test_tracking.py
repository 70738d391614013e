"""CLIENT TRACKING: what is told to whom, when, and in which order."""

import pytest
from client_list import fields
from connections import until

import minikv

CHANNEL = b"__redis__:invalidate"
SYNTAX = "ERR syntax error"
NOT_BOTH = "ERR You can't specify both OPTIN mode and OPTOUT mode"
SWITCHED = (
    "ERR You can't switch {} mode {}before disabling tracking for this client, and then re-enabling it "
    "with a different mode."
)
OVERLAP = "ERR Prefix '{}' overlaps with {} prefix '{}'. Prefixes for a single client must not overlap."


@pytest.fixture
def server(tmp_path):
    """A server that no other test sees."""
    with minikv.Server(port=0, enable_debug_command="yes") as server:
        yield server


@pytest.fixture
def writer(connect):
    return connect()


@pytest.fixture
def tracking(connect):
    """A RESP3 connection that tracks: tracking(*options)."""

    def tracking(*options):
        connection = connect(3)
        assert connection.cmd("CLIENT", "TRACKING", "ON", *options) == b"OK"
        return connection

    return tracking


def changed(*keys):
    """The message about keys, as RESP3 has it."""
    return [b"invalidate", [key.encode() for key in keys]]


EVERYTHING = [b"invalidate", None]


def info(connection, *names):
    lines = connection.cmd("INFO").decode().splitlines()
    rows = dict(line.split(":", 1) for line in lines if ":" in line)
    return [int(rows[name]) for name in names]


TOTALS = ("tracking_clients", "tracking_total_keys", "tracking_total_items", "tracking_total_prefixes")

# ---------------------------------------------------------------- keys that were read


def test_a_change_is_told_once(tracking, writer):
    reader = tracking()
    writer.cmd("SET", "k", 1)
    reader.cmd("GET", "k")
    writer.cmd("SET", "k", 2)
    writer.cmd("SET", "k", 3)
    assert reader.read() == changed("k")
    assert reader.is_silent()
    reader.cmd("GET", "k")
    writer.cmd("DEL", "k")
    assert reader.read() == changed("k")


def test_only_what_was_read(tracking, writer):
    reader = tracking()
    reader.cmd("SET", "own", 1)
    reader.cmd("GET", "k")
    writer.cmd("MSET", "other", 1, "own", 2)
    assert reader.is_silent()
    writer.cmd("SET", "k", 1)
    assert reader.read() == changed("k")


def test_bytes_on_the_wire(connect, tracking, writer):
    reader = tracking()
    reader.cmd("GET", "k")
    writer.cmd("SET", "k", 1)
    assert reader.exchange("PING") == b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n+PONG\r\n"
    receiver, old = connect(), connect()
    receiver.cmd("SUBSCRIBE", CHANNEL)
    old.cmd("CLIENT", "TRACKING", "ON", "REDIRECT", listener_id(receiver, writer))
    old.cmd("GET", "k")
    writer.cmd("SET", "k", 1)
    expected = b"*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n$1\r\nk\r\n"
    assert receiver.raw(len(expected)) == expected
    writer.cmd("FLUSHALL")
    expected = b"*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n$-1\r\n"
    assert receiver.raw(len(expected)) == expected
    assert reader.exchange("PING") == b">2\r\n$10\r\ninvalidate\r\n_\r\n+PONG\r\n"


def listener_id(listener, asker):
    """A subscriber's id, which in RESP2 it can't ask for itself."""
    lines = [fields(line) for line in asker.cmd("CLIENT", "LIST").decode().splitlines()]
    return next(line["id"] for line in lines if line["addr"] == listener.address)


@pytest.mark.parametrize(
    "read, keys",
    [
        ("GET a", "a"),
        ("MGET a b c", "abc"),
        ("EXISTS a b", "ab"),
        ("TTL a", "a"),
        ("TYPE a", "a"),
        ("STRLEN a", "a"),
        ("GETRANGE a 0 1", "a"),
        ("LCS a b", "ab"),
        ("OBJECT ENCODING a", "a"),
        ("MEMORY USAGE a", "a"),
        ("TOUCH b", "b"),
        ("GETEX a", ""),
        ("INCR a", ""),
        ("WATCH a", ""),
        ("SCAN 0", ""),
        ("RANDOMKEY", ""),
        ("DBSIZE", ""),
    ],
)
def test_keys_of_commands(tracking, writer, read, keys):
    writer.cmd("MSET", "a", 1, "b", 2, "c", 3)
    reader = tracking()
    reader.cmd(*read.split())
    writer.cmd("MSET", "a", 1, "b", 2, "c", 3)
    for key in keys:
        assert reader.read() == changed(key)
    assert reader.is_silent()


def test_keys_of_failed_commands(tracking, writer):
    """A client may conclude from a refusal that the key is of another type, and cache that."""
    writer.cmd("SET", "k", "no number")
    reader = tracking()
    reader.error("GETRANGE", "k", "x", "y")
    writer.cmd("SET", "k", 1)
    assert reader.read() == changed("k")


@pytest.mark.parametrize(
    "change, keys",
    [
        ("SET a 1", "a"),
        ("RENAME a b", "ab"),
        ("COPY a b REPLACE", "b"),
        ("MOVE a 1", "a"),
        ("EXPIRE a 100", "a"),
        ("PERSIST a", ""),
        ("DEL a none b", "ab"),
        ("GETDEL a", "a"),
        ("SET a 1 NX", ""),
        ("SWAPDB 0 1", ""),
    ],
)
def test_what_is_a_change(tracking, writer, change, keys):
    writer.cmd("MSET", "a", 1, "b", 2)
    reader = tracking()
    reader.cmd("MGET", "a", "b")
    writer.cmd(*change.split())
    for key in keys:
        assert reader.read() == changed(key)
    assert reader.is_silent()


def test_databases_make_no_difference(tracking, writer):
    reader = tracking()
    reader.cmd("GET", "k")
    writer.cmd("SELECT", 3)
    writer.cmd("SET", "k", 1)
    assert reader.read() == changed("k")


def test_expired_keys(tracking, writer):
    reader = tracking()
    writer.cmd("SET", "k", 1, "PX", 200)
    assert reader.cmd("GET", "k") == b"1"
    assert reader.read() == changed("k")  # though nobody asks for it


def test_lazy_expiry_in_the_midst_of_a_reply(tracking, writer):
    reader = tracking()
    writer.cmd("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    writer.cmd("SET", "x", 1)
    writer.cmd("SET", "y", 2, "PX", 200)
    assert reader.cmd("MGET", "x", "y") == [b"1", b"2"]
    writer.cmd("DEBUG", "SLEEP", "0.21")
    assert reader.cmd("MGET", "x", "y") == [b"1", None]
    assert reader.read() == changed("y")


def test_evicted_keys(tracking, writer):
    reader = tracking()
    writer.cmd("SET", "victim", "v" * 100)
    reader.cmd("GET", "victim")
    writer.cmd("CONFIG", "SET", "maxmemory-policy", "allkeys-lru", "maxmemory", 1)
    writer.cmd("PING")
    assert reader.read() == changed("victim")
    writer.cmd("CONFIG", "SET", "maxmemory", 0)


def test_flushes(tracking, writer):
    reader, other = tracking(), tracking("BCAST", "PREFIX", "p:")
    reader.cmd("MGET", "a", "b")
    assert info(writer, *TOTALS) == [2, 2, 2, 1]
    for words in (("FLUSHALL",), ("FLUSHDB",), ("FLUSHALL", "ASYNC")):
        writer.cmd(*words)
        assert reader.read() == EVERYTHING
        assert other.read() == EVERYTHING
        assert info(writer, *TOTALS) == [2, 0, 0, 1]
    writer.cmd("SET", "a", 1)
    assert reader.is_silent()


def test_many_readers_and_keys(tracking, writer):
    readers = [tracking() for _ in range(20)]
    keys = [f"k{i}" for i in range(300)]
    for reader in readers:
        reader.cmd("MGET", *keys)
        reader.cmd("MGET", *keys[:150])
    assert info(writer, *TOTALS) == [20, 300, 6000, 0]
    readers[0].close()
    until(lambda: info(writer, "tracking_clients") == [19])
    for key in keys[::3]:
        writer.cmd("SET", key, 1)
    for reader in readers[1:]:
        assert [reader.read() for _ in keys[::3]] == [changed(key) for key in keys[::3]]
    assert info(writer, *TOTALS) == [19, 200, 4000, 0]
    for reader in readers[1:]:
        assert reader.cmd("CLIENT", "TRACKING", "OFF") == b"OK"
    assert info(writer, *TOTALS) == [0, 0, 0, 0]


def test_readers_who_come_and_go(tracking, writer):
    """What those who have gone have read takes no more room than what the others have."""
    stays = [tracking() for _ in range(3)]
    for reader in stays:
        reader.cmd("GET", "k")
    for i in range(200):
        with tracking() as passing:
            passing.cmd("GET", "k")
            assert info(writer, "tracking_total_items")[0] <= 9, i
        until(lambda: info(writer, "tracking_clients") == [3])
    late = tracking()
    late.cmd("GET", "k")
    writer.cmd("SET", "k", 1)
    for reader in (*stays, late):
        assert reader.read() == changed("k")
        assert reader.is_silent()
    assert info(writer, *TOTALS) == [4, 0, 0, 0]


def test_readers_in_any_order(tracking, writer):
    readers = [tracking() for _ in range(60)]
    for step in (7, 11, 1):
        for i in range(60):
            readers[i * step % 60].cmd("GET", "k")
        assert info(writer, "tracking_total_keys", "tracking_total_items") == [1, 60]
    writer.cmd("SET", "k", 1)
    for reader in readers:
        assert reader.read() == changed("k")


# ---------------------------------------------------------------- the order of messages


def test_own_change_comes_behind_the_reply(tracking):
    c = tracking()
    c.cmd("GET", "k")
    assert c.cmd("SET", "k", 1) == b"OK"
    assert c.read() == changed("k")
    c.cmd("MGET", "a", "b")
    assert c.cmd("MSET", "b", 1, "a", 2) == b"OK"
    assert [c.read(), c.read()] == [changed("b"), changed("a")]
    c.cmd("GET", "k")
    assert c.cmd("FLUSHALL") == b"OK"
    assert c.read() == EVERYTHING


def test_own_transaction(tracking):
    c = tracking()
    c.cmd("SET", "k", 1)
    c.cmd("GET", "k")
    c.cmd("MULTI")
    c.cmd("INCR", "k")
    c.cmd("GET", "k")
    c.cmd("INCR", "k")
    c.cmd("FLUSHDB")
    assert c.cmd("EXEC") == [2, b"2", 3, b"OK"]
    assert [c.read() for _ in range(3)] == [changed("k"), changed("k"), EVERYTHING]


def test_pipeline(tracking):
    c = tracking()
    assert c.all("SET k 1", "GET k", "INCR k", "GET k", "PING") == [b"OK", b"1", 2, changed("k"), b"2"]
    assert c.read() == b"PONG"


def test_noloop(tracking, writer):
    c = tracking("NOLOOP")
    c.cmd("MGET", "a", "b", "c")
    c.cmd("SET", "b", 1)
    writer.cmd("SET", "a", 1)
    writer.cmd("SET", "c", 1)
    assert [c.read(), c.read()] == [changed("a"), changed("c")]
    assert c.is_silent()
    writer.cmd("SET", "b", 2)  # it was forgotten by its own change
    assert c.is_silent()
    c.cmd("FLUSHDB")
    assert c.read() == EVERYTHING


@pytest.mark.parametrize("words", [("OFF",), ("SKIP",)])
def test_messages_in_spite_of_client_reply(tracking, writer, words):
    c = tracking()
    c.cmd("GET", "k")
    c.send("CLIENT", "REPLY", *words)
    c.send("SET", "k", 1)
    assert c.read() == changed("k")
    c.send("CLIENT", "REPLY", "ON")
    assert c.read() == b"OK"
    assert c.is_silent()


# ---------------------------------------------------------------- OPTIN and OPTOUT


def test_optin(tracking, writer):
    c = tracking("OPTIN")
    c.cmd("GET", "a")
    assert c.cmd("CLIENT", "CACHING", "YES") == b"OK"
    assert trackinginfo(c)[0] == {b"on", b"optin", b"caching-yes"}
    c.cmd("MGET", "b", "c")
    c.cmd("GET", "d")
    writer.cmd("MSET", "a", 1, "b", 1, "c", 1, "d", 1)
    assert [c.read(), c.read()] == [changed("b"), changed("c")]
    assert c.is_silent()


def test_optout(tracking, writer):
    c = tracking("OPTOUT")
    c.cmd("GET", "a")
    assert c.cmd("CLIENT", "CACHING", "NO") == b"OK"
    assert trackinginfo(c)[0] == {b"on", b"optout", b"caching-no"}
    c.cmd("GET", "b")
    c.cmd("GET", "c")
    writer.cmd("MSET", "a", 1, "b", 1, "c", 1)
    assert [c.read(), c.read()] == [changed("a"), changed("c")]
    assert c.is_silent()


def test_caching_is_for_a_whole_transaction(tracking, writer):
    c = tracking("OPTIN")
    c.all("CLIENT CACHING YES", "MULTI", "GET a", "GET b", "EXEC", "GET c")
    writer.cmd("MSET", "a", 1, "b", 1, "c", 1)
    assert [c.read(), c.read()] == [changed("a"), changed("b")]
    c.all("MULTI", "GET a", "CLIENT CACHING YES", "GET b", "EXEC", "GET c")
    writer.cmd("MSET", "a", 1, "b", 1, "c", 1)
    assert c.read() == changed("b")
    assert c.is_silent()


# ---------------------------------------------------------------- BCAST


def test_broadcast_of_everything(tracking, writer):
    c = tracking("BCAST")
    writer.cmd("MSET", "c", 1, "a", 1, "b", 1)
    assert c.read() == changed("a", "b", "c")
    writer.cmd("MULTI")
    for key in "xyx":
        writer.cmd("SET", key, 1)
    writer.cmd("EXEC")
    assert c.read() == changed("x", "y")
    writer.cmd("SET", "", 1)
    assert c.read() == changed("")
    assert c.cmd("SET", "own", 1) == b"OK"
    assert c.read() == changed("own")
    assert info(writer, *TOTALS) == [1, 0, 0, 1]


def test_broadcast_of_prefixes(tracking, writer):
    a, b = tracking("BCAST", "PREFIX", "b:", "PREFIX", "a:"), tracking("BCAST", "PREFIX", "a:")
    assert info(writer, *TOTALS) == [2, 0, 0, 2]
    writer.cmd("MSET", "b:1", 1, "a:2", 1, "c:1", 1, "a:1", 1, "a", 1)
    assert [a.read(), a.read()] == [changed("a:1", "a:2"), changed("b:1")]
    assert b.read() == changed("a:1", "a:2")
    assert a.cmd("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "c:") == b"OK"
    writer.cmd("INCR", "c:1")
    assert a.read() == changed("c:1")
    assert trackinginfo(a)[2] == [b"a:", b"b:", b"c:"]
    b.close()
    until(lambda: info(writer, "tracking_clients") == [1])
    a.cmd("CLIENT", "TRACKING", "OFF")
    assert info(writer, *TOTALS) == [0, 0, 0, 0]


def test_broadcast_to_all_but_the_one_who_changes(connect, tracking, writer):
    c, all_too = tracking("BCAST", "NOLOOP"), tracking("BCAST")
    assert c.cmd("SET", "own", 1) == b"OK"
    writer.cmd("SET", "other", 1)
    assert c.read() == changed("other")
    assert [all_too.read(), all_too.read()] == [changed("own"), changed("other")]
    # its own, which then goes by itself
    c.all("MULTI", "SET gone 1 PX 5", "SET kept 1", "DEBUG SLEEP 0.02", "GET gone", "EXEC")
    assert c.read() == changed("gone")
    assert all_too.read() == changed("gone", "kept")


def test_broadcast_of_expiries_and_evictions(tracking, writer):
    c = tracking("BCAST")
    writer.cmd("SET", "k", 1, "PX", 10)
    assert [c.read(), c.read()] == [changed("k"), changed("k")]


def test_long_keys_and_many(tracking, writer):
    c, reader = tracking("BCAST"), tracking()
    long = "x" * 70_000
    reader.cmd("GET", long)
    writer.cmd("SET", long, 1)
    assert c.read() == reader.read() == changed(long)
    keys = [f"{i:05}" for i in range(5000)]
    writer.cmd("MSET", *(word for key in keys for word in (key, "v")))
    assert c.read() == changed(*keys)


# ---------------------------------------------------------------- redirection


def test_redirection_to_a_subscriber(connect, writer):
    c, receiver = connect(), connect()
    number = receiver.cmd("CLIENT", "ID")
    assert c.cmd("CLIENT", "TRACKING", "ON", "REDIRECT", number) == b"OK"
    assert c.cmd("CLIENT", "GETREDIR") == number
    c.cmd("GET", "k")
    writer.cmd("SET", "k", 1)
    assert receiver.is_silent()  # it does not subscribe: in RESP2 it could not tell what that is
    receiver.cmd("SUBSCRIBE", CHANNEL)
    c.cmd("GET", "k")
    writer.cmd("SET", "k", 1)
    assert receiver.read() == [b"message", CHANNEL, [b"k"]]
    assert c.is_silent()
    line = fields(c.cmd("CLIENT", "INFO").decode())
    assert (line["flags"], line["redir"]) == ("t", str(number))


def test_redirection_to_resp3(connect, tracking, writer):
    receiver, c = connect(3), connect()
    c.cmd("CLIENT", "TRACKING", "ON", "BCAST", "REDIRECT", receiver.cmd("CLIENT", "ID"))
    writer.cmd("SET", "k", 1)
    assert receiver.read() == changed("k")
    writer.cmd("FLUSHALL")
    assert receiver.read() == EVERYTHING


def test_without_resp3_or_redirection_nothing_is_told(connect, writer):
    c = connect()
    c.cmd("CLIENT", "TRACKING", "ON")
    c.cmd("GET", "k")
    writer.cmd("SET", "k", 1)
    assert c.is_silent()
    c.cmd("GET", "k")
    c.cmd("HELLO", 3)
    writer.cmd("SET", "k", 1)
    assert c.read() == changed("k")


def test_redirection_that_is_broken(connect, tracking, writer):
    receiver = connect(3)
    number = receiver.cmd("CLIENT", "ID")
    c = tracking("REDIRECT", number)
    c.cmd("GET", "k")
    receiver.send("QUIT")
    assert receiver.is_closed()
    assert trackinginfo(c) == ({b"on"}, number, [])
    writer.cmd("SET", "k", 1)
    assert c.read() == [b"tracking-redir-broken", number]
    assert trackinginfo(c) == ({b"on", b"broken_redirect"}, number, [])
    line = fields(c.cmd("CLIENT", "INFO").decode())
    assert (line["flags"], line["redir"]) == ("tR", str(number))
    c.cmd("CLIENT", "TRACKING", "ON")
    assert trackinginfo(c) == ({b"on"}, 0, [])


def test_receiver_that_resets_itself(connect, tracking, writer):
    receiver = connect(3)
    c = tracking("REDIRECT", receiver.cmd("CLIENT", "ID"))
    receiver.cmd("RESET")
    receiver.cmd("HELLO", 3)
    c.cmd("GET", "k")
    writer.cmd("SET", "k", 1)
    assert receiver.read() == changed("k")


def test_redirection_to_oneself(connect, writer):
    c = connect()
    number = c.cmd("CLIENT", "ID")
    assert c.cmd("CLIENT", "TRACKING", "ON", "BCAST", "REDIRECT", number) == b"OK"
    c.cmd("SUBSCRIBE", CHANNEL)
    writer.cmd("SET", "k", 1)
    assert c.read() == [b"message", CHANNEL, [b"k"]]
    c.close()
    until(lambda: info(writer, "tracking_clients") == [0])


def test_reset_ends_tracking(tracking, writer):
    c = tracking("BCAST", "PREFIX", "a")
    c.cmd("RESET")
    assert info(writer, *TOTALS) == [0, 0, 0, 0]
    assert c.cmd("CLIENT", "GETREDIR") == -1


# ---------------------------------------------------------------- the table's bound


def test_bounded_table(tracking, writer):
    c = tracking()
    writer.cmd("CONFIG", "SET", "tracking-table-max-keys", 5)
    keys = [f"k{i}" for i in range(20)]
    assert c.cmd("MGET", *keys) == [None] * 20
    told = [c.read() for _ in range(15)]
    assert info(writer, *TOTALS) == [1, 5, 5, 0]
    left = set(keys) - {message[1][0].decode() for message in told}
    assert len(left) == 5
    writer.cmd("MSET", *(word for key in keys for word in (key, "v")))
    assert sorted(c.read()[1][0].decode() for _ in range(5)) == sorted(left)


def test_lower_bound(tracking, writer):
    c = tracking("NOLOOP")
    c.cmd("MGET", *(f"k{i}" for i in range(250)))
    c.cmd("CONFIG", "SET", "tracking-table-max-keys", 1)
    assert len({c.read()[1][0] for _ in range(249)}) == 249
    assert c.is_silent()
    writer.cmd("CONFIG", "SET", "tracking-table-max-keys", 0)
    c.cmd("MGET", *(f"k{i}" for i in range(250)))
    assert info(writer, *TOTALS) == [1, 250, 250, 0]


# ---------------------------------------------------------------- options, and what they are told


def trackinginfo(connection):
    reply = connection.cmd("CLIENT", "TRACKINGINFO")
    if isinstance(reply, list):
        reply = dict(zip(reply[::2], reply[1::2], strict=True))
    assert set(reply) == {b"flags", b"redirect", b"prefixes"}
    return set(reply[b"flags"]), reply[b"redirect"], reply[b"prefixes"]


def test_trackinginfo(connect, protocol):
    c = connect(protocol)
    assert trackinginfo(c) == ({b"off"}, -1, [])
    for options, flags, prefixes in (
        ("", {b"on"}, []),
        ("NOLOOP", {b"on", b"noloop"}, []),
        ("BCAST", {b"on", b"bcast"}, [b""]),
        ("BCAST PREFIX foo PREFIX bar NOLOOP", {b"on", b"bcast", b"noloop"}, [b"bar", b"foo"]),
        ("OPTIN", {b"on", b"optin"}, []),
        ("OPTOUT", {b"on", b"optout"}, []),
    ):
        assert c.cmd("CLIENT", "TRACKING", "on", *options.split()) == b"OK"
        assert trackinginfo(c) == (flags, 0, prefixes)
        assert c.cmd("CLIENT", "TRACKING", "off", *options.split()) == b"OK"
    kind = b"*" if protocol == 2 else b"~"
    start = b"*6" if protocol == 2 else b"%3"
    assert c.exchange("CLIENT", "TRACKINGINFO") == (
        b"%b\r\n$5\r\nflags\r\n%b1\r\n$3\r\noff\r\n$8\r\nredirect\r\n:-1\r\n$8\r\nprefixes\r\n*0\r\n"
        % (start, kind)
    )


def test_flags_in_the_list(tracking):
    assert fields(tracking().cmd("CLIENT", "INFO").decode())["flags"] == "t"
    line = fields(tracking("BCAST").cmd("CLIENT", "INFO").decode())
    assert (line["flags"], line["redir"]) == ("tB", "0")


@pytest.mark.parametrize(
    "before, words, text",
    [
        ("", "x", SYNTAX),
        ("", "ON FOO", SYNTAX),
        ("", "ON REDIRECT", SYNTAX),
        ("", "ON BCAST PREFIX", SYNTAX),
        ("", "ON REDIRECT x", "ERR value is not an integer or out of range"),
        ("", "ON REDIRECT 99999", "ERR The client ID you want redirect to does not exist"),
        ("", "OFF REDIRECT 0", "ERR The client ID you want redirect to does not exist"),
        ("", "ON PREFIX a", "ERR PREFIX option requires BCAST mode to be enabled"),
        ("", "ON BCAST OPTIN", "ERR OPTIN and OPTOUT are not compatible with BCAST"),
        ("", "ON OPTIN OPTOUT", NOT_BOTH),
        ("ON", "ON BCAST", SWITCHED.format("BCAST", "on/off ")),
        ("ON BCAST", "ON", SWITCHED.format("BCAST", "on/off ")),
        ("ON OPTIN", "ON OPTOUT", SWITCHED.format("OPTIN/OPTOUT", "")),
        ("ON OPTOUT", "ON OPTIN", SWITCHED.format("OPTIN/OPTOUT", "")),
        ("", "ON BCAST PREFIX ab PREFIX a", OVERLAP.format("ab", "another provided", "a")),
        ("", "ON BCAST PREFIX a PREFIX ab", OVERLAP.format("a", "another provided", "ab")),
        ("ON BCAST PREFIX ab", "ON BCAST PREFIX a", OVERLAP.format("a", "an existing", "ab")),
        ("ON BCAST PREFIX ab", "ON BCAST PREFIX ab", OVERLAP.format("ab", "an existing", "ab")),
    ],
)
def test_refused_options(connect, before, words, text):
    c = connect()
    if before:
        assert c.cmd("CLIENT", "TRACKING", *before.split()) == b"OK"
    assert c.error("CLIENT", "TRACKING", *words.split()) == text


def test_one_receiver_only(connect):
    c = connect()
    number = c.cmd("CLIENT", "ID")
    assert c.error("CLIENT", "TRACKING", "ON", "REDIRECT", number, "REDIRECT", number) == (
        "ERR A client can only redirect to a single other client"
    )


def test_refused_caching(connect):
    c = connect()
    assert c.error("CLIENT", "CACHING", "YES").startswith("ERR CLIENT CACHING can be called only when")
    c.cmd("CLIENT", "TRACKING", "ON", "OPTIN")
    assert c.error("CLIENT", "CACHING", "x") == SYNTAX
    assert c.error("CLIENT", "CACHING", "NO") == (
        "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode."
    )
    c.cmd("CLIENT", "TRACKING", "OFF")
    c.cmd("CLIENT", "TRACKING", "ON", "OPTOUT")
    assert c.error("CLIENT", "CACHING", "YES") == (
        "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode."
    )


def test_not_without_a_connection():
    with minikv.Store() as store:
        with pytest.raises(minikv.ReplyError, match="is for connections"):
            store.execute("CLIENT", "TRACKING", "ON")
        assert store.execute("CLIENT", "GETREDIR") == -1
