"""COMMAND: what it tells about commands, and the keys that it finds."""

import pytest

import minikv
from minikv.errors import ReplyError
from minikv.registry import READONLY, WRITE, KeyNum, KeySpec

NO_KEYS = "ERR The command has no key arguments"
NO_COMMAND = "ERR Invalid command specified"
WRONG_NUMBER = "ERR Invalid number of arguments specified for command"
MALFORMED = "ERR Invalid arguments specified for command"
SYNTAX = "ERR syntax error"


@pytest.fixture(scope="module")
def store():
    with minikv.Store() as store:
        yield store


def error(store, *words):
    with pytest.raises(ReplyError) as caught:
        store.execute(*words)
    return str(caught.value)


# ---------------------------------------------------------------- INFO, COUNT, LIST


def test_info_of_get_byte_by_byte(connect):
    resp3 = (
        b"*2\r\n*10\r\n$3\r\nget\r\n:2\r\n~2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n"
        b"~3\r\n+@read\r\n+@string\r\n+@fast\r\n~0\r\n~1\r\n"
        b"%3\r\n$5\r\nflags\r\n~2\r\n+RO\r\n+access\r\n"
        b"$12\r\nbegin_search\r\n%2\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n%1\r\n$5\r\nindex\r\n:1\r\n"
        b"$9\r\nfind_keys\r\n%2\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n"
        b"%3\r\n$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n~0\r\n_\r\n"
    )
    assert connect(3).exchange("COMMAND", "INFO", "GET", "nosuch") == resp3
    resp2 = resp3.replace(b"~", b"*").replace(b"_\r\n", b"$-1\r\n")
    for pairs in (3, 2, 1):
        resp2 = resp2.replace(b"%%%d\r\n" % pairs, b"*%d\r\n" % (pairs * 2))
    assert connect().exchange("COMMAND", "INFO", "GET", "nosuch") == resp2


def test_info_by_name(store):
    found = store.execute(
        "COMMAND", "INFO", "SET", "config|get", "CONFIG|GET", "config|x", "get|x", "config|get|x", ""
    )
    assert [row and row[0] for row in found] == [b"set", b"config|get", b"config|get", None, None, None, None]
    (row,) = store.execute("COMMAND", "INFO", "object")
    assert row[9][0][0] == b"object|encoding"
    assert row[6] == {b"@slow"}, "a container is in no other category"


@pytest.mark.parametrize(
    ("name", "arity", "flags", "keys", "categories"),
    [
        ("ping", -1, {b"fast"}, [0, 0, 0], {b"@fast", b"@connection"}),
        ("mset", -3, {b"write", b"denyoom"}, [1, -1, 2], {b"@write", b"@string", b"@slow"}),
        ("rename", 3, {b"write"}, [1, 2, 1], {b"@keyspace", b"@write", b"@slow"}),
        ("config|help", 2, {b"loading", b"stale"}, [0, 0, 0], {b"@slow"}),
        (
            "auth",
            -2,
            {b"noscript", b"loading", b"stale", b"fast", b"no_auth", b"allow_busy"},
            [0, 0, 0],
            {b"@fast", b"@connection"},
        ),
    ],
)  # fmt: skip
def test_facts(store, name, arity, flags, keys, categories):
    (row,) = store.execute("COMMAND", "INFO", name)
    assert row[1:7] == [arity, flags, *keys, categories]


def test_all_commands_are_described(store):
    everything = store.execute("COMMAND")
    assert store.execute("COMMAND", "INFO") == everything
    assert store.execute("COMMAND", "COUNT") == len(everything)
    names = store.execute("COMMAND", "LIST")
    assert {row[0] for row in everything} == {name for name in names if b"|" not in name}
    assert b"client|list" in names
    docs = store.execute("COMMAND", "DOCS")
    assert set(docs) == {row[0] for row in everything}
    built_in = [
        entry for name, entry in docs.items() if not name.startswith(b"test")
    ]  # other tests add commands
    assert all(entry[b"summary"] and entry[b"since"] and entry[b"group"] for entry in built_in)


def test_list_by_filter(store):
    def names(*filter):
        return set(store.execute("COMMAND", "LIST", "FILTERBY", *filter))

    assert names("PATTERN", "GET") == {b"get"}
    assert {b"config|get", b"config|set"} <= names("pattern", "config|*et")
    assert {b"client", b"client|help"} <= names("PATTERN", "cl*")
    assert names("PATTERN", "nosuch*") == set()
    assert {b"get", b"set"} <= names("ACLCAT", "String")
    assert b"ping" not in names("ACLCAT", "string")
    assert names("ACLCAT", "nosuch") == set()
    assert names("MODULE", "nosuch") == set()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("FOO",), "ERR unknown subcommand 'FOO'. Try COMMAND HELP."),
        (("COUNT", "x"), "ERR wrong number of arguments for 'command|count' command"),
        (("GETKEYS",), "ERR wrong number of arguments for 'command|getkeys' command"),
        (("LIST", "x"), SYNTAX),
        (("LIST", "FILTERBY", "PATTERN"), SYNTAX),
        (("LIST", "FILTERBY", "x", "y"), SYNTAX),
        (("LIST", "x", "PATTERN", "y"), SYNTAX),
        (("LIST", "FILTERBY", "PATTERN", "x", "y"), SYNTAX),
    ],
)
def test_errors(store, words, text):
    assert error(store, "COMMAND", *words) == text


def test_help(connect):
    assert b"\r\n+COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\r\n" in connect().exchange(
        "COMMAND", "HELP"
    )


# ---------------------------------------------------------------- DOCS


def test_docs_of_get_byte_by_byte(connect):
    c = connect(3)
    summary = c.cmd("COMMAND", "DOCS", "get")[b"get"][b"summary"]
    resp3 = (
        b"%%1\r\n$3\r\nget\r\n%%5\r\n$7\r\nsummary\r\n$%d\r\n%b\r\n$5\r\nsince\r\n$5\r\n1.0.0\r\n"
        b"$5\r\ngroup\r\n$6\r\nstring\r\n$10\r\ncomplexity\r\n$4\r\nO(1)\r\n"
        b"$9\r\narguments\r\n*1\r\n%%4\r\n$4\r\nname\r\n$3\r\nkey\r\n$4\r\ntype\r\n$3\r\nkey\r\n"
        b"$12\r\ndisplay_text\r\n$3\r\nkey\r\n$14\r\nkey_spec_index\r\n:0\r\n" % (len(summary), summary)
    )
    assert c.exchange("COMMAND", "DOCS", "get", "nosuch") == resp3
    resp2 = resp3
    for pairs in (5, 4, 1):
        resp2 = resp2.replace(b"%%%d\r\n" % pairs, b"*%d\r\n" % (pairs * 2))
    assert connect().exchange("COMMAND", "DOCS", "get") == resp2


def test_docs_of_set(store):
    entry = store.execute("COMMAND", "DOCS", "SET")[b"set"]
    assert b"6.0.0" in [version for version, _ in entry[b"history"]]
    key, value, _, get, expiry = entry[b"arguments"]
    assert key == {b"name": b"key", b"type": b"key", b"display_text": b"key", b"key_spec_index": 0}
    assert value == {b"name": b"value", b"type": b"string", b"display_text": b"value"}
    assert get == {
        b"name": b"get", b"type": b"pure-token", b"display_text": b"get", b"token": b"GET",
        b"flags": {b"optional"},
    }  # fmt: skip
    assert (expiry[b"type"], expiry[b"flags"]) == (b"oneof", {b"optional"})
    assert b"display_text" not in expiry
    assert [(a[b"token"], a[b"name"], a[b"type"]) for a in expiry[b"arguments"]] == [
        (b"EX", b"seconds", b"integer"),
        (b"PX", b"milliseconds", b"integer"),
        (b"EXAT", b"unix-time-seconds", b"unix-time"),
        (b"PXAT", b"unix-time-milliseconds", b"unix-time"),
        (b"KEEPTTL", b"keepttl", b"pure-token"),
    ]


def test_docs_of_subcommands(store):
    docs = store.execute("COMMAND", "DOCS", "object", "object|freq", "nosuch|x")
    assert set(docs) == {b"object", b"object|freq"}
    assert docs[b"object"][b"subcommands"][b"object|freq"] == docs[b"object|freq"]
    assert b"arguments" not in docs[b"object"]


# ---------------------------------------------------------------- GETKEYS


@minikv.command("TESTKEYNUM", keys=KeyNum(2, 3), flags=READONLY)
def keynum(session, mode, numkeys, *keys):
    """Count keys."""
    return len(keys)


@minikv.command("TESTTWO", keys=(KeySpec(1, 1, 1, "RO access"), KeySpec(2, -1, 1, "OW update")), flags=WRITE)
def two(session, source, *targets):
    """Count targets."""
    return len(targets)


@pytest.mark.parametrize(
    ("request_", "keys"),
    [
        ("get a", "a"),
        ("GET a", "a"),
        ("mset a 1 b 2", "a b"),
        ("mset a 1 b", "a b"),
        ("mget a b c", "a b c"),
        ("object encoding a", "a"),
        ("OBJECT Freq a", "a"),
        ("rename a b", "a b"),
        ("lcs a b LEN", "a b"),
        ("testkeynum any 2 a b rest", "a b"),
        ("testkeynum any 0", ""),
        ("testtwo a b c", "a b c"),
    ],
)
def test_getkeys(store, request_, keys):
    assert store.execute("COMMAND", "GETKEYS", *request_.split()) == [key.encode() for key in keys.split()]


@pytest.mark.parametrize("subcommand", ["GETKEYS", "GETKEYSANDFLAGS"])
@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ("nosuch a", NO_COMMAND),
        ("object nosuch a", NO_COMMAND),
        ("object|encoding a", NO_COMMAND),
        ("ping", NO_KEYS),
        ("config", NO_KEYS),
        ("config get", NO_KEYS),
        ("config get x", NO_KEYS),
        ("subscribe a", NO_KEYS),
        ("ssubscribe a", NO_KEYS),
        ("get", WRONG_NUMBER),
        ("get a b", WRONG_NUMBER),
        ("testkeynum any 3 a b", MALFORMED),
        ("testkeynum any x a", MALFORMED),
        ("testkeynum any -1 a", MALFORMED),
    ],
)
def test_getkeys_errors(store, subcommand, request_, text):
    assert error(store, "COMMAND", subcommand, *request_.split()) == text


def test_getkeysandflags(connect, store):
    assert connect().exchange("COMMAND", "GETKEYSANDFLAGS", "set", "k", "v") == (
        b"*1\r\n*2\r\n$1\r\nk\r\n*2\r\n+OW\r\n+update\r\n"
    )
    assert connect(3).exchange("COMMAND", "GETKEYSANDFLAGS", "set", "k", "v", "GET") == (
        b"*1\r\n*2\r\n$1\r\nk\r\n~3\r\n+RW\r\n+access\r\n+update\r\n"
    )
    assert store.execute("COMMAND", "GETKEYSANDFLAGS", "rename", "a", "b") == [
        [b"a", {b"RW", b"access", b"delete"}],
        [b"b", {b"OW", b"update"}],
    ]
    assert store.execute("COMMAND", "GETKEYSANDFLAGS", "testtwo", "a", "b", "c") == [
        [b"a", {b"RO", b"access"}],
        [b"b", {b"OW", b"update"}],
        [b"c", {b"OW", b"update"}],
    ]
