"""SUBSCRIBE and its kin, PUBLISH, PUBSUB, and keyspace events over them."""

import time

import pytest

import minikv

REFUSED = (
    "ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET "
    "are allowed in this context"
)
KINDS = [  # prefix of the commands, name of the messages, PUBLISH
    ("", b"message", "PUBLISH"),
    ("S", b"smessage", "SPUBLISH"),
]


def subscribed(connection, command, *names):
    """The counts that a SUBSCRIBE or UNSUBSCRIBE confirms, after a look at the rest of it."""
    connection.send(command, *names)
    counts = []
    for name in names:
        word, confirmed, count = connection.read()
        assert word == command.lower().encode()
        assert confirmed == name.encode()
        counts.append(count)
    return counts


# ---------------------------------------------------------------- subscriptions


@pytest.mark.parametrize("prefix, word, publish", KINDS)
def test_messages_of_subscribed_channels(connect, protocol, prefix, word, publish):
    listener, speaker = connect(protocol), connect()
    assert subscribed(listener, f"{prefix}SUBSCRIBE", "one", "two") == [1, 2]
    assert speaker.cmd(publish, "one", "hello") == 1
    assert speaker.cmd(publish, "two", "") == 1
    assert speaker.cmd(publish, "three", "nobody") == 0
    assert listener.read() == [word, b"one", b"hello"]
    assert listener.read() == [word, b"two", b""]
    assert subscribed(listener, f"{prefix}UNSUBSCRIBE", "one") == [1]
    assert speaker.cmd(publish, "one", "gone") == 0
    assert subscribed(listener, f"{prefix}UNSUBSCRIBE", "two", "never") == [0, 0]
    assert listener.is_silent()


def test_bytes_on_the_wire(connect, protocol):
    kind = b"*" if protocol == 2 else b">"
    null = b"$-1" if protocol == 2 else b"_"
    listener, speaker = connect(protocol), connect()

    def expect(*words):
        listener.send(*words[0].split())
        expected = b"".join(kind + word.replace(b" ", b"\r\n") + b"\r\n" for word in words[1:])
        assert listener.raw(len(expected)) == expected

    expect("UNSUBSCRIBE", b"3 $11 unsubscribe " + null + b" :0")
    expect("PUNSUBSCRIBE", b"3 $12 punsubscribe " + null + b" :0")
    expect("SUNSUBSCRIBE", b"3 $12 sunsubscribe " + null + b" :0")
    expect(
        "SUBSCRIBE a b a", *(b"3 $9 subscribe $1 %c :%d" % pair for pair in ((b"a", 1), (b"b", 2), (b"a", 2)))
    )
    expect("PSUBSCRIBE a*", b"3 $10 psubscribe $2 a* :3")
    expect("SSUBSCRIBE a", b"3 $10 ssubscribe $1 a :1")
    assert speaker.cmd("PUBLISH", "a", "hi") == 2
    assert speaker.cmd("SPUBLISH", "a", "hi") == 1
    expected = [b"3 $7 message $1 a $2 hi", b"4 $8 pmessage $2 a* $1 a $2 hi", b"3 $8 smessage $1 a $2 hi"]
    for message in expected:
        message = kind + message.replace(b" ", b"\r\n") + b"\r\n"
        assert listener.raw(len(message)) == message
    expect("UNSUBSCRIBE", b"3 $11 unsubscribe $1 a :2", b"3 $11 unsubscribe $1 b :1")
    expect("PUNSUBSCRIBE", b"3 $12 punsubscribe $2 a* :0")
    expect("SUNSUBSCRIBE", b"3 $12 sunsubscribe $1 a :0")


def test_patterns(connect, protocol):
    listener, speaker = connect(protocol), connect()
    assert subscribed(listener, "PSUBSCRIBE", "foo.*", "b[ae]r", "f*") == [1, 2, 3]
    assert subscribed(listener, "SUBSCRIBE", "foo.1") == [4]
    assert speaker.cmd("PUBLISH", "foo.1", "x") == 3
    assert speaker.cmd("PUBLISH", "ber", "y") == 1
    assert speaker.cmd("PUBLISH", "bor", "z") == 0
    assert speaker.cmd("SPUBLISH", "foo.1", "z") == 0
    assert listener.read() == [b"message", b"foo.1", b"x"]
    assert listener.read() == [b"pmessage", b"foo.*", b"foo.1", b"x"]
    assert listener.read() == [b"pmessage", b"f*", b"foo.1", b"x"]
    assert listener.read() == [b"pmessage", b"b[ae]r", b"ber", b"y"]
    assert subscribed(listener, "PUNSUBSCRIBE", "f*", "no*") == [3, 3]
    assert speaker.cmd("PUBLISH", "foo.1", "x") == 2


def test_many_channels_and_subscribers(connect):
    names = [f"channel-{i}" for i in range(500)]
    listeners = [connect(2 + i % 2) for i in range(20)]
    speaker = connect()
    for listener in listeners:
        assert subscribed(listener, "SUBSCRIBE", *names) == list(range(1, 501))
    assert speaker.cmd("PUBSUB", "NUMSUB", names[0], "none", names[-1]) == [
        names[0].encode(), 20, b"none", 0, names[-1].encode(), 20
    ]  # fmt: skip
    assert sorted(speaker.cmd("PUBSUB", "CHANNELS")) == sorted(name.encode() for name in names)
    for name in names[::50]:
        assert speaker.cmd("PUBLISH", name, "x" * 100) == 20
    for listener in listeners:
        for name in names[::50]:
            assert listener.read() == [b"message", name.encode(), b"x" * 100]
    for listener in listeners[::2]:
        assert subscribed(listener, "UNSUBSCRIBE", *names[:-1]) == list(range(499, 0, -1))
    assert speaker.cmd("PUBLISH", names[0], "x") == 10
    assert speaker.cmd("PUBLISH", names[-1], "x") == 20


def test_large_messages(connect, protocol):
    listener, speaker = connect(protocol), connect()
    subscribed(listener, "SUBSCRIBE", "c" * 5000)
    subscribed(listener, "PSUBSCRIBE", "c*")
    for size in (100, 4000, 4096, 20_000, 70_000, 3_000_000):
        message = bytes(range(97, 122)) * (size // 25)
        assert speaker.cmd("PUBLISH", "c" * 5000, message) == 2
        assert listener.read() == [b"message", b"c" * 5000, message]
        assert listener.read() == [b"pmessage", b"c*", b"c" * 5000, message]


def test_end_of_a_connection_drops_its_subscriptions(server, connect, protocol):
    listener, speaker = connect(protocol), connect()
    for command in ("SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"):
        subscribed(listener, command, "a", "b")
    assert speaker.cmd("PUBLISH", "a", "x") == 2
    listener.close()
    while speaker.cmd("PUBLISH", "a", "x"):
        pass
    assert speaker.cmd("SPUBLISH", "a", "x") == 0
    assert speaker.cmd("PUBSUB", "NUMPAT") == 0


def test_reset_drops_subscriptions(connect, protocol):
    listener, speaker = connect(protocol), connect()
    subscribed(listener, "SUBSCRIBE", "a")
    subscribed(listener, "PSUBSCRIBE", "a")
    subscribed(listener, "SSUBSCRIBE", "a")
    assert listener.cmd("RESET") == b"RESET"
    assert speaker.cmd("PUBLISH", "a", "x") == 0
    assert speaker.cmd("SPUBLISH", "a", "x") == 0
    assert listener.cmd("GET", "a") is None


def test_memory_of_subscriptions_is_counted(server, connect):
    listener = connect(3)
    before = server.engine.memory()["clients"]
    for command in ("SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"):
        subscribed(listener, command, *["a channel " + str(i) for i in range(1000)])
    assert server.engine.memory()["clients"] > before + 3000 * 64
    for command in ("UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE"):
        subscribed(listener, command, *["a channel " + str(i) for i in range(1000)])
    settled(server, before)


def settled(server, clients, slack=40_000):
    """Wait until the clients take what they took before; a connection keeps some of its buffers."""
    while server.engine.memory()["clients"] > clients + slack:
        time.sleep(0.01)


# ---------------------------------------------------------------- subscriber mode


def test_resp2_subscribers_may_run_few_commands(connect):
    listener = connect(2)
    subscribed(listener, "SUBSCRIBE", "a")
    assert listener.error("GET", "a") == REFUSED
    assert listener.error("HELLO", "3").startswith("ERR Can't execute 'hello'")
    assert listener.error("PUBSUB", "NUMPAT").startswith("ERR Can't execute 'pubsub|numpat'")
    assert listener.cmd("PING") == [b"pong", b""]
    assert listener.cmd("PING", "x") == [b"pong", b"x"]
    for command in ("PSUBSCRIBE", "SSUBSCRIBE"):
        subscribed(listener, command, "a")
        assert listener.error("GET", "a") == REFUSED
    assert subscribed(listener, "UNSUBSCRIBE", "a") == [1]
    assert subscribed(listener, "PUNSUBSCRIBE", "a") == [0]
    assert listener.error("GET", "a") == REFUSED  # the shard channel is still there
    assert subscribed(listener, "SUNSUBSCRIBE", "a") == [0]
    assert listener.cmd("GET", "a") is None
    assert listener.cmd("PING") == b"PONG"


def test_resp3_subscribers_may_run_all_commands(connect):
    listener = connect(3)
    subscribed(listener, "SUBSCRIBE", "a")
    assert listener.cmd("GET", "a") is None
    assert listener.cmd("PING") == b"PONG"
    assert listener.cmd("HELLO", "2")
    assert listener.error("GET", "a") == REFUSED


def test_messages_to_oneself_follow_the_reply(connect):
    both = connect(3)
    subscribed(both, "SUBSCRIBE", "a")
    both.send("PUBLISH", "a", "x")
    assert [both.read(), both.read()] == [1, [b"message", b"a", b"x"]]
    both.cmd("CONFIG", "SET", "notify-keyspace-events", "KA")
    subscribed(both, "SUBSCRIBE", "__keyspace@0__:k")
    both.send("SET", "k", "v")
    assert [both.read(), both.read()] == [b"OK", [b"message", b"__keyspace@0__:k", b"set"]]
    both.cmd("CONFIG", "SET", "notify-keyspace-events", "")


def test_messages_to_oneself_follow_exec(connect, protocol):
    both = connect(protocol)
    queued = both.all(
        "MULTI", "SUBSCRIBE foo bar", "PUBLISH foo x", "UNSUBSCRIBE bar", "PUBLISH foo y", "ECHO z"
    )
    assert queued == [b"OK"] + 5 * [b"QUEUED"]
    both.send("EXEC")
    kind = b"*" if protocol == 2 else b">"
    reply = (
        b"*5 k3 $9 subscribe $3 foo :1 k3 $9 subscribe $3 bar :2 :1 k3 $11 unsubscribe $3 bar :1 :1 $1 z "
        b"k3 $7 message $3 foo $1 x k3 $7 message $3 foo $1 y "
    )
    reply = reply.replace(b"k", kind).replace(b" ", b"\r\n")
    assert both.raw(len(reply)) == reply


def test_shard_channels_are_not_for_transactions(connect):
    client = connect()
    client.all("MULTI", "SSUBSCRIBE a", "SUNSUBSCRIBE a")
    refused, dropped = client.cmd("EXEC")
    assert str(refused) == "ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client"
    assert dropped == [b"sunsubscribe", b"a", 0]


def test_client_reply_hides_no_messages(connect, protocol):
    listener, speaker = connect(protocol), connect()
    listener.send("CLIENT", "REPLY", "OFF")
    assert subscribed(listener, "SUBSCRIBE", "a") == [1]
    assert subscribed(listener, "PSUBSCRIBE", "a*") == [2]
    listener.send("PING")
    assert speaker.cmd("PUBLISH", "a", "x") == 2
    assert listener.read() == [b"message", b"a", b"x"]
    assert listener.read() == [b"pmessage", b"a*", b"a", b"x"]
    assert subscribed(listener, "PUNSUBSCRIBE", "a*") == [1]
    listener.send("UNSUBSCRIBE")
    assert listener.read() == [b"unsubscribe", b"a", 0]
    listener.send("UNSUBSCRIBE")
    assert listener.read() == [b"unsubscribe", None, 0]
    assert listener.cmd("CLIENT", "REPLY", "ON") == b"OK"
    listener.send("CLIENT", "REPLY", "SKIP")
    assert subscribed(listener, "SUBSCRIBE", "b") == [1]
    assert listener.is_silent()


def test_wrong_numbers_of_arguments(connect):
    client = connect()
    for command in ("SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "PUBLISH a", "SPUBLISH a b c"):
        name = command.split()[0].lower()
        assert client.error(*command.split()) == f"ERR wrong number of arguments for '{name}' command"


def test_not_without_a_connection():
    """A store in the process has nobody to send messages to."""
    with minikv.Store() as store:
        for command in ("SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"):
            with pytest.raises(
                minikv.ReplyError, match=f"ERR {command} isn't allowed for a DENY BLOCKING client"
            ):
                store.execute(command, "a")
        assert store.execute("PUBLISH", "a", "b") == 0


# ---------------------------------------------------------------- PUBSUB


@pytest.mark.parametrize(
    "prefix, channels, numsub", [("", "CHANNELS", "NUMSUB"), ("S", "SHARDCHANNELS", "SHARDNUMSUB")]
)
def test_pubsub_channels_and_numsub(connect, prefix, channels, numsub):
    first, second, client = connect(), connect(3), connect()
    assert client.cmd("PUBSUB", channels) == []
    subscribed(first, f"{prefix}SUBSCRIBE", "abc", "abd")
    subscribed(second, f"{prefix}SUBSCRIBE", "abc", "x")
    assert sorted(client.cmd("PUBSUB", channels)) == [b"abc", b"abd", b"x"]
    assert sorted(client.cmd("PUBSUB", channels, "ab*")) == [b"abc", b"abd"]
    assert client.cmd("PUBSUB", channels, "z*") == []
    assert client.cmd("PUBSUB", numsub) == []
    assert client.cmd("PUBSUB", numsub, "abc", "none", "x", "x") == [b"abc", 2, b"none", 0, b"x", 1, b"x", 1]
    assert client.cmd("PUBSUB", "NUMPAT") == 0
    other = {"CHANNELS": "SHARDCHANNELS", "SHARDCHANNELS": "CHANNELS"}[channels]
    assert client.cmd("PUBSUB", other) == []


def test_pubsub_numpat_counts_distinct_patterns(connect):
    first, second, client = connect(), connect(3), connect()
    subscribed(first, "PSUBSCRIBE", "foo*", "bar*")
    subscribed(second, "PSUBSCRIBE", "foo*", "baz*")
    assert client.cmd("PUBSUB", "NUMPAT") == 3


def test_pubsub_errors(connect):
    client = connect()
    assert client.error("PUBSUB") == "ERR wrong number of arguments for 'pubsub' command"
    assert client.error("PUBSUB", "FOO") == "ERR unknown subcommand 'FOO'. Try PUBSUB HELP."
    assert (
        client.error("PUBSUB", "NUMPAT", "x") == "ERR wrong number of arguments for 'pubsub|numpat' command"
    )
    for word in ("CHANNELS", "ShardChannels"):
        assert client.error("PUBSUB", word, "a", "b") == (
            f"ERR unknown subcommand or wrong number of arguments for '{word}'. Try PUBSUB HELP."
        )
    assert client.cmd("PUBSUB", "HELP")[0] == (
        b"PUBSUB <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    )


# ---------------------------------------------------------------- keyspace events


@pytest.fixture
def events(connect, protocol):
    """A listener to all channels, with keyspace events switched on by the letters given."""
    listener, client = connect(protocol), connect()

    def events(letters):
        client.cmd("CONFIG", "SET", "notify-keyspace-events", letters)
        assert subscribed(listener, "PSUBSCRIBE", "*") == [1]
        return listener, client

    yield events
    client.cmd("CONFIG", "SET", "notify-keyspace-events", "")


def test_keyspace_and_keyevent(events):
    listener, client = events("KEA")
    client.cmd("SELECT", 9)
    client.cmd("SET", "foo", "bar")
    assert listener.read() == [b"pmessage", b"*", b"__keyspace@9__:foo", b"set"]
    assert listener.read() == [b"pmessage", b"*", b"__keyevent@9__:set", b"foo"]


@pytest.mark.parametrize("letters, channel, message", [
    ("KA", b"__keyspace@0__:k", b"set"), ("EA", b"__keyevent@0__:set", b"k"),
])  # fmt: skip
def test_one_of_the_two(events, letters, channel, message):
    listener, client = events(letters)
    client.cmd("SET", "k", "v")
    assert listener.read() == [b"pmessage", b"*", channel, message]
    assert listener.is_silent()


def test_classes_that_are_not_asked_for(events):
    listener, client = events("KEg")
    client.all("SET k v", "APPEND k v", "DEL k")
    assert listener.read() == [b"pmessage", b"*", b"__keyspace@0__:k", b"del"]
    assert listener.read() == [b"pmessage", b"*", b"__keyevent@0__:del", b"k"]
    assert listener.is_silent()


def test_long_keys(events):
    listener, client = events("KEA")
    for size in (200, 241, 242, 256, 5000):
        key = b"k" * size
        client.cmd("SET", key, "v")
        assert listener.read() == [b"pmessage", b"*", b"__keyspace@0__:" + key, b"set"]
        assert listener.read() == [b"pmessage", b"*", b"__keyevent@0__:set", key]
