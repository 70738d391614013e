"""minikv/commands/function.py: no functions to flush or to list."""

import pytest


@pytest.mark.parametrize("words", [(), ("ASYNC",), ("sync",)])
def test_flush(client, words):
    assert client.cmd("FUNCTION", "FLUSH", *words) == b"OK"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("FLUSH", "now"), "ERR FUNCTION FLUSH only supports SYNC|ASYNC option"),
        (
            ("FLUSH", "SYNC", "x"),
            "ERR unknown subcommand or wrong number of arguments for 'flush'. Try FUNCTION HELP.",
        ),
        (("LIST", "LIBRARYNAME"), "ERR library name argument was not given"),
        (("LIST", "x"), "ERR Unknown argument x"),
    ],
)
def test_errors(client, words, text):
    assert str(client.cmd("FUNCTION", *words)) == text


def test_list(client):
    assert client.cmd("FUNCTION", "LIST", "LIBRARYNAME", "a*", "WITHCODE") == []
