"""A short run of the fuzzer, and what its sessions without a socket promise."""

import random

import pytest
from fuzz_wire import ROUND, Round, fuzz
from minikv_core.sessionhandle import SessionHandle, check, take_turn

import minikv


@pytest.fixture
def store():
    with minikv.Store() as store:
        yield store


def test_mutations_and_garbage():
    fuzz(3000, random.randrange(1_000_000_000))


def test_a_seed_makes_the_same_inputs():
    def inputs(seed):
        made = []
        played = Round(seed)
        make = played.make_input
        played.make_input = lambda client: made.append(make(client)) or made[-1]
        played.play(ROUND // 4)
        return made

    assert inputs(5) == inputs(5) != inputs(6)


@pytest.mark.parametrize("copying", [False, True])
def test_session_without_socket(store, copying):
    session = SessionHandle(store.engine, copying)
    assert session.feed(b"PING\r\nECH") == b"+PONG\r\n"
    assert session.feed(b"O hello\r\n") == b"$5\r\nhello\r\n"
    value = b"v" * 100_000
    request = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000\r\n%b\r\n" % value
    assert session.feed(request[:50_000]) == b""
    assert session.feed(request[50_000:]) == b"+OK\r\n"
    assert session.feed(b"GET k\r\n", 10) == b"$100000\r\nv"[:10]
    assert session.feed(b"") == (b"$100000\r\n%b\r\n" % value)[10:]
    assert not session.closed
    assert session.feed(b"QUIT\r\nPING\r\n") == b"+OK\r\n"
    assert session.closed and session.feed(b"PING\r\n") == b""
    check(store.engine)


def test_turns_of_several(store):
    one, two, three = (SessionHandle(store.engine) for _ in range(3))
    assert one.feed(b"SUBSCRIBE news\r\n").startswith(b"*3\r\n$9\r\nsubscribe")
    reads = [(two, b"PUBLISH news hello\r\n"), (three, b"CLIENT KILL ID %d\r\n" % two.id), (one, b"")]
    sent = take_turn(store.engine, reads)
    assert sent == [b"", b":1\r\n", b"*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nhello\r\n"]
    assert two.closed and not three.closed
    assert three.feed(b"CLIENT PAUSE 100000 WRITE\r\nSET k v\r\nGET k\r\n") == b"+OK\r\n"
    assert one.feed(b"RESET\r\nGET k\r\nCLIENT UNPAUSE\r\n") == b"+RESET\r\n$-1\r\n+OK\r\n"
    assert three.feed(b"") == b"+OK\r\n$1\r\nv\r\n"
    one.close()
    assert one.closed
    check(store.engine)


def test_closed_store(store):
    session = SessionHandle(store.engine)
    store.close()
    assert session.closed
    with pytest.raises(RuntimeError):
        session.feed(b"PING\r\n")
    with pytest.raises(MemoryError):
        SessionHandle(store.engine)
