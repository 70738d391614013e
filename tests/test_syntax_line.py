"""The syntax line of a command: every construct, every mistake, and the lines of all commands that exist."""

import pytest
from minikv_core.registry import specs

from minikv import host  # noqa: F401  (fills the command table)
from minikv.syntax_line import parse


def shape(arguments):
    """Arguments as short tuples: name, type, then token, flags and arguments where there are any."""
    found = []
    for a in arguments:
        extras = [x for x in (a.token, a.flags, shape(a.arguments)) if x]
        found.append((a.name, a.type, *extras))
    return found


KEY, VALUE = ("key", "key"), ("value", "string")
OFFSET, COUNT = ("offset", "integer"), ("count", "integer")
USER, PASSWORD = ("username", "string"), ("password", "string")
NX, XX = ("nx", "pure-token", "NX"), ("xx", "pure-token", "XX")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", []),
        ("key value", [KEY, VALUE]),
        ("[message]", [("message", "string", ["optional"])]),
        ("[GET]", [("get", "pure-token", "GET", ["optional"])]),
        ("NX", [NX]),
        ("[NX|XX]", [("choice", "oneof", ["optional"], [NX, XX])]),
        ("<NX | XX>", [("choice", "oneof", [NX, XX])]),
        (
            "[EX seconds|PXAT unix-time-milliseconds|KEEPTTL]",
            [
                (
                    "choice",
                    "oneof",
                    ["optional"],
                    [
                        ("seconds", "integer", "EX"),
                        ("unix-time-milliseconds", "unix-time", "PXAT"),
                        ("keepttl", "pure-token", "KEEPTTL"),
                    ],
                )
            ],
        ),
        ("channel ...", [("channel", "string", ["multiple"])]),
        ("[pattern ...]", [("pattern", "pattern", ["optional", "multiple"])]),
        ("key [key ...]", [("key", "key", ["multiple"])]),
        ("key value [key value ...]", [("group", "block", ["multiple"], [KEY, VALUE])]),
        ("[LIMIT offset count]", [("limit", "block", "LIMIT", ["optional"], [OFFSET, COUNT])]),
        ("ID client-id [client-id ...]", [("client-id", "integer", "ID", ["multiple"])]),
        (
            "[GET pattern [GET pattern ...]]",
            [("pattern", "pattern", "GET", ["optional", "multiple", "multiple_token"])],
        ),
        (
            "FIELDS numfields field [field ...]",
            [("fields", "block", "FIELDS", [("numfields", "integer"), ("field", "string", ["multiple"])])],
        ),
        ("[TYPE <NX|XX>]", [("type", "oneof", "TYPE", ["optional"], [NX, XX])]),
        ("key <NX|XX> value", [KEY, ("choice", "oneof", [NX, XX]), VALUE]),
        (
            "[protover [AUTH username password]]",
            [
                (
                    "group",
                    "block",
                    ["optional"],
                    [
                        ("protover", "integer"),
                        ("auth", "block", "AUTH", ["optional"], [USER, PASSWORD]),
                    ],
                )
            ],
        ),
        ("<* | id>", [("choice", "oneof", [("*", "pure-token", "*"), ("id", "string")])]),
        ("increment:double", [("increment", "double")]),
        ("ip:port", [("ip:port", "string")]),
    ],
)  # fmt: skip
def test_lines(line, expected):
    assert shape(parse(line)) == expected


@pytest.mark.parametrize("line", ["[a", "a]", "<a", "[a>", "...", "[... a]", "NX|XX", "[]", "[a|]", "<|a>"])
def test_mistakes(line):
    with pytest.raises(ValueError):
        parse(line)


def test_keys_know_their_specifications():
    def indexes(line, key_specs):
        return [a.key_spec for a in parse(line, key_specs)]

    assert indexes("key value", 1) == [0, None]
    assert indexes("key1 key2 [LEN]", 1) == [0, 0, None]
    assert indexes("source destination", 2) == [0, 1]
    assert indexes("key", 0) == [None]
    (pairs,) = parse("key value [key value ...]", 1)
    assert [a.key_spec for a in pairs.arguments] == [0, None]


@pytest.mark.parametrize("spec", specs, ids=lambda spec: spec.name)
def test_commands(spec):
    parse(spec.args, len(spec.keys))
