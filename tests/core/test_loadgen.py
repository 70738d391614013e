"""The load generator against servers that do what a test needs: right, wrong, never, or not at all."""

import asyncio
import contextlib
import os
import resource
import socket
import threading
import time

import pytest
from minikv_core.loadgen import LoadGenerator

PING = b"*1\r\n$4\r\nPING\r\n"
GET = b"*2\r\n$3\r\nGET\r\n$12\r\n############\r\n"
ASKED = [(GET, b"$12\r\n############\r\n", 1.0)]
LIMIT = 5.0  # seconds that any of these may take


class Script:
    """A server that answers with what `answer` says: bytes, None for nothing, EOFError to close."""

    def __init__(self, answer):
        self.answer = answer
        self.requests = []
        self.chunks = []
        self.connections = 0
        self.loop = asyncio.new_event_loop()
        self.started = threading.Event()
        self.thread = threading.Thread(target=self.run)

    async def serve(self, reader, writer):
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, EOFError):
            while True:
                request = await self.read_request(reader)
                if request != PING:
                    self.requests.append(request)
                reply = b"+PONG\r\n" if request == PING else self.answer(request)
                if reply:
                    writer.write(reply)
        with contextlib.suppress(ConnectionError):
            writer.close()

    async def read_request(self, reader):
        head = await reader.readline()
        if not head:
            raise EOFError
        request = head
        for _ in range(int(head[1:])):
            line = await reader.readline()
            request += line + await reader.readexactly(int(line[1:]) + 2)
        return request

    def run(self):
        async def main():
            self.stopped = asyncio.Event()
            server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
            self.port = server.sockets[0].getsockname()[1]
            self.started.set()
            async with server:
                await self.stopped.wait()

        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(main())

    def __enter__(self):
        self.thread.start()
        self.started.wait(LIMIT)
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.stopped.set)
        self.thread.join(LIMIT)
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()


def key_of(request):
    return request[-14:-2]


def echo(request):
    return b"$12\r\n" + key_of(request) + b"\r\n"


def report_of(port, seconds=0.2, *, asked=ASKED, requests=0, drain=0.3, **options):
    load = LoadGenerator(port, asked, **options)
    try:
        opened = load.connect(LIMIT)
        return opened, load.run(seconds, requests=requests, drain=drain), load
    finally:
        load.close()


@pytest.mark.parametrize("pipeline", [1, 7])
@pytest.mark.parametrize("connections", [1, 20])
def test_every_right_reply_is_counted_once(connections, pipeline):
    with Script(echo) as script:
        opened, done, load = report_of(script.port, connections=connections, pipeline=pipeline, keys=1000)
    assert opened["standing"] == connections
    assert done["requests"] == len(script.requests) == load.latencies.total > 0
    assert done["in_time"] <= done["requests"]
    assert done["errors"] == done["wrong"] == done["lost"] == done["refused"] == done["unanswered"] == 0
    assert len({key_of(request) for request in script.requests}) > 1
    assert all(int(key_of(request)) < 1000 for request in script.requests)


def test_a_number_of_requests():
    with Script(echo) as script:
        _, done, _ = report_of(script.port, LIMIT, requests=100, connections=7, pipeline=3)
    assert done["requests"] == len(script.requests) == 100
    assert done["seconds"] <= done["drained_seconds"] < LIMIT


def test_shares_of_templates():
    other = (PING.replace(b"PING", b"PONG"), b"+OK\r\n", 1.0)
    with Script(lambda request: echo(request) if b"GET" in request else b"+OK\r\n") as script:
        _, done, _ = report_of(script.port, LIMIT, requests=2000, asked=[(*ASKED[0][:2], 3.0), other])
    share = sum(b"GET" in request for request in script.requests) / 2000
    assert done["requests"] == 2000
    assert 0.7 < share < 0.8  # a binomial's six standard deviations


def test_error_replies_are_errors():
    with Script(lambda request: b"-ERR not today\r\n") as script:
        _, done, load = report_of(script.port, LIMIT, requests=10)
    assert done["errors"] == 10
    assert done["requests"] == load.latencies.total == 0
    assert done["complaint"] == "-ERR not today"


@pytest.mark.parametrize("reply", [b"+OK\r\n", b"$-1\r\n"])
def test_another_reply_is_wrong(reply):
    with Script(lambda request: reply) as script:
        _, done, _ = report_of(script.port, LIMIT, requests=10)
    assert done["wrong"] == 10
    assert done["requests"] == 0


def test_another_keys_value_is_wrong_and_ends_the_connection():
    with Script(lambda request: b"$12\r\n999999999999\r\n") as script:
        _, done, _ = report_of(script.port, connections=3)
    assert done["wrong"] == 3
    assert done["standing"] == done["requests"] == 0


def test_a_reply_too_many_is_wrong():
    with Script(lambda request: 2 * echo(request)) as script:
        _, done, _ = report_of(script.port)
    assert done["wrong"] == 1


@pytest.mark.parametrize("asked", [ASKED, [(GET, None, 1.0)]])
def test_replies_in_pieces(asked):
    """A server that sends each byte by itself."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            with listener.accept()[0] as peer:
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for _ in range(4):
                    request = peer.recv(1000)
                    for byte in b"+PONG\r\n" if request == PING else echo(request):
                        peer.sendall(bytes([byte]))
                        time.sleep(0.001)

        thread = threading.Thread(target=serve)
        thread.start()
        _, done, _ = report_of(listener.getsockname()[1], LIMIT, asked=asked, requests=3)
        thread.join(LIMIT)
    assert done["requests"] == 3


ANY = [(GET, None, 1.0)]
ANYTHING = (
    b"+OK\r\n",
    b":-12\r\n",
    b"$-1\r\n",
    b"*-1\r\n",
    b"*0\r\n",
    b"$0\r\n\r\n",
    b"$4\r\n\r\n\r\n\r\n",
    b"*3\r\n$1\r\na\r\n*2\r\n:1\r\n-ERR inside\r\n*1\r\n$-1\r\n",
    b"$70000\r\n" + b"x" * 70000 + b"\r\n",
)


@pytest.mark.parametrize("reply", ANYTHING, ids=lambda reply: repr(reply[:12]))
def test_any_reply_is_right_when_it_may_be_any(reply):
    with Script(lambda request: reply) as script:
        _, done, load = report_of(script.port, LIMIT, asked=ANY, requests=60, connections=3, pipeline=4)
    assert done["requests"] == load.latencies.total == len(script.requests) == 60
    assert done["wrong"] == done["errors"] == done["unanswered"] == 0


@pytest.mark.parametrize(
    ("reply", "counter", "count"),
    [(b"-ERR no\r\n", "errors", 5), (b"what\r\n", "wrong", 1), (b":1\r\n:2\r\n", "wrong", 1)],
)
def test_what_is_not_one_reply_is_none_that_may_be_any(reply, counter, count):
    with Script(lambda request: reply) as script:
        _, done, _ = report_of(script.port, 0.2, asked=ANY, requests=5)
    assert done[counter] == count


def test_numbers_of_their_own():
    words = b"?" * 12, b"#" * 12
    asked = [(b"*2\r\n$12\r\n%b\r\n$12\r\n%b\r\n" % words, b"$12\r\n############\r\n", 1.0)]
    with Script(echo) as script:
        _, done, _ = report_of(script.port, LIMIT, asked=asked, requests=100, keys=1000)
    first = [request[10:22] for request in script.requests]
    assert done["requests"] == 100
    assert all(int(number) < 1000 for number in first)
    assert sum(number == key_of(request) for number, request in zip(first, script.requests, strict=True)) < 10


def test_too_many_numbers():
    with pytest.raises(ValueError, match="more than 2 numbers"):
        LoadGenerator(1, [(GET + GET + GET, None, 1.0)])


def test_a_connection_without_an_answer_is_told():
    with Script(lambda request: None) as script:
        _, done, _ = report_of(script.port, 0.1, connections=5)
    assert done["unanswered"] == 5
    assert done["requests"] == 0


def test_a_server_that_closes_loses_its_connections():
    def close(request):
        raise EOFError

    with Script(close) as script:
        opened, done, _ = report_of(script.port, 0.1, connections=5)
    assert opened["standing"] == 5
    assert done["lost"] == 5
    assert done["standing"] == 0


def test_nobody_listens():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        opened, done, _ = report_of(unused.getsockname()[1], 0.1, connections=3)
    assert opened["refused"] == 3
    assert opened["complaint"] == "Connection refused"
    assert done["requests"] == 0


def test_a_server_that_never_accepts_does_not_hold_us_up():
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        start = time.monotonic()
        opened, done, _ = report_of(listener.getsockname()[1], 0.1, connections=10)
    assert opened["standing"] == 0
    assert done["unanswered"] == 10
    assert time.monotonic() - start < 2 * LIMIT


def test_connecting_ends_when_it_is_told_to():
    with Script(echo) as script:
        load = LoadGenerator(script.port, ASKED, connections=5000)
        opened = load.connect(LIMIT, lambda: False)
        done = load.run(0.1)
        load.close()
    assert opened["standing"] < 5000
    assert done["standing"] + done["unanswered"] == 5000
    assert script.connections < 5000


def test_churn_makes_a_connection_for_each_request():
    with Script(echo) as script:
        _, done, _ = report_of(script.port, LIMIT, requests=200, connections=5, churn=True)
    assert done["requests"] == len(script.requests) == 200
    assert 200 <= script.connections <= 205


def test_churn_goes_on_after_replies_out_of_step():
    with Script(lambda request: echo(request) if len(script.requests) > 20 else b"$3\r\nabc\r\n") as script:
        _, done, _ = report_of(script.port, LIMIT, requests=50, connections=3, churn=True)
    assert (done["wrong"], done["requests"]) == (20, 30)


def test_descriptors_run_out():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        load = LoadGenerator(listener.getsockname()[1], ASKED, connections=50)
        spare = os.dup(0)
        os.close(spare)  # the lowest number that is free
        resource.setrlimit(resource.RLIMIT_NOFILE, (spare + 10, hard))
        try:
            opened = load.connect(0.2)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            load.close()
    assert opened["refused"] >= 40
    assert opened["complaint"] == "Too many open files"


def test_paced_requests_come_once_an_interval():
    with Script(echo) as script:
        _, done, _ = report_of(script.port, 1.05, connections=10, paced_ms=100, drain=1.0)
    assert 20 <= done["requests"] <= done["requests"] + done["overdue"] <= 10 * 11


def test_a_paced_request_still_owed_is_overdue():
    with Script(lambda request: None) as script:
        _, done, _ = report_of(script.port, 0.55, connections=2, paced_ms=100)
    assert len(script.requests) == 2
    assert done["overdue"] >= 2


def test_slow_connections_send_a_byte_at_a_time():
    with Script(echo) as script:
        _, done, load = report_of(script.port, 1.0, connections=2, slow=3, drip_ms=1, requests=50)
        assert script.connections == 5
    assert done["requests"] == load.latencies.total == 50
    with Script(echo) as script:
        _, done, _ = report_of(script.port, 1.0, connections=1, slow=3, drip_ms=1)
    assert done["slow_requests"] > 0


@pytest.mark.parametrize(
    "options",
    [
        {"connections": 0},
        {"pipeline": 0},
        {"slow": -1},
        {"keys": 0},
        {"churn": True, "slow": 1},
        {"asked": []},
    ],
)
def test_no_such_load(options):
    asked = options.pop("asked", ASKED)
    with pytest.raises(ValueError):
        LoadGenerator(1, asked, **options)


def test_a_text_too_long():
    with pytest.raises(ValueError, match="longer"):
        LoadGenerator(1, [(b"x" * 513, b"+OK\r\n", 1.0)])
