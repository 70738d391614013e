"""Kills worker processes at random under load, and checks that the store stays right.

    PYTHONPATH=tests python tests/io/kill_workers.py --io nginx --kills 500 --seed 1

Each client has keys of its own and knows what they must hold. A command whose connection breaks may
have run or not, whole: the next read says which. Anything else is a wrong value.
"""

import argparse
import contextlib
import os
import random
import signal
import threading
import time
from pathlib import Path

from connections import Connection, until
from processes import ServerProcess

CLIENTS = 6
KEYS = 40  # of each client
SETTINGS = {
    "nginx": {"worker_processes": 3},
    "prefork": {"pm": "static", "pm.max_children": CLIENTS + 2},
    "fork": {},
}


class Client(threading.Thread):
    """Changes its keys and checks each reply, over connections that break."""

    def __init__(self, port, number, seed):
        super().__init__(daemon=True)
        self.port, self.number = port, number
        self.random = random.Random(seed * 1000 + number)
        self.expected = {}  # key -> values that it may have; None = no such key
        self.broken = self.commands = 0
        self.connection = None
        self.failure = None
        self.done = threading.Event()

    def run(self):
        try:
            while not self.done.is_set():
                self.step()
            for key in self.expected:
                self.check(key)
        except BaseException as error:
            self.failure = error

    def ask(self, *words):
        """The reply, None if the connection broke before it came."""
        deadline = time.monotonic() + 30
        while self.connection is None:
            assert time.monotonic() < deadline, "no connection can be made"
            try:
                self.connection = Connection(self.port)
            except OSError:
                time.sleep(0.01)
        try:
            reply = self.connection.cmd(*words)
        except (EOFError, ConnectionError):
            self.connection.close()
            self.connection = None
            self.broken += 1
            return None
        self.commands += 1
        return (reply,)

    def check(self, key):
        """Read a key until a connection lasts; then only one value is possible."""
        while (reply := self.ask("GET", key)) is None:
            pass
        allowed = self.expected.get(key, {None})
        assert reply[0] in allowed, (
            f"{key} holds {reply[0]!r:.60}, not one of {[repr(a)[:60] for a in allowed]}"
        )
        self.expected[key] = {reply[0]}
        return reply[0]

    def step(self):
        key = f"{self.number}:{self.random.randrange(KEYS)}"
        if len(self.expected.get(key, {None})) > 1 or self.random.random() < 0.3:
            self.check(key)
            return
        (old,) = self.expected.get(key, {None})
        kind = self.random.choice(("set", "set", "big", "append", "del", "setrange", "multi", "expire"))
        value = b"%d" % self.random.getrandbits(60) * self.random.randint(1, 8)
        if kind == "big":
            value = value * 5000
        new = value
        if kind in ("set", "big"):
            words = ("SET", key, value)
        elif kind == "append":
            new = (old or b"")[:200_000] + value
            words = ("APPEND", key, value) if len(old or b"") <= 200_000 else ("SET", key, new)
        elif kind == "del":
            new, words = None, ("DEL", key)
        elif kind == "setrange":
            new, words = value + (old or b"")[len(value) :], ("SETRANGE", key, 0, value)
        elif kind == "expire":
            new, words = old, ("EXPIRE", key, 1000)
        else:
            return self.transaction(key, old)
        self.expected[key] = {new} if self.ask(*words) is not None else {old, new}

    def transaction(self, key, old):
        """Two keys that change together or not at all."""
        twin = key + ":twin"
        value = b"%d" % self.random.getrandbits(60)
        (twin_old,) = (
            self.expected.get(twin, {None}) if len(self.expected.get(twin, {None})) == 1 else (None,)
        )
        if len(self.expected.get(twin, {None})) > 1:
            self.check(twin)
            return
        for words in (("MULTI",), ("SET", key, value), ("SET", twin, value)):
            if self.ask(*words) is None:
                return
        if self.ask("EXEC") is not None:
            self.expected[key] = self.expected[twin] = {value}
            return
        self.expected[key], self.expected[twin] = {old, value}, {twin_old, value}
        assert (self.check(key) == value) == (self.check(twin) == value) or old == twin_old == value


def children(pid):
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def zombies(pid):
    found = []
    for child in children(pid):
        with contextlib.suppress(FileNotFoundError):
            if " Z " in Path(f"/proc/{child}/stat").read_text():
                found.append(child)
    return found


def run(io, kills, seed, pause=0.01):
    """Kill that many workers; returns a dict of figures. AssertionError says what went wrong."""
    chooser = random.Random(seed)
    with ServerProcess(io=io, **SETTINGS[io]) as server:
        clients = [Client(server.port, n, seed) for n in range(CLIENTS)]
        for client in clients:
            client.start()
        done = 0
        while done < kills:
            time.sleep(chooser.random() * pause * 2)
            workers = children(server.pid)
            if workers:
                with contextlib.suppress(ProcessLookupError):  # it has ended by itself
                    os.kill(chooser.choice(workers), signal.SIGKILL)
                    done += 1
            failed = [client.failure for client in clients if client.failure]
            if failed:
                raise failed[0]
        for client in clients:
            client.done.set()
        for client in clients:
            client.join(60)
            assert not client.is_alive(), "a client hangs"
            if client.failure:
                raise client.failure
        with Connection(server.port) as last:
            keys = last.cmd("DBSIZE")
            expected = sum(value != {None} for client in clients for value in client.expected.values())
            assert keys == expected, f"{keys} keys, not {expected}"
            recoveries = int(last.cmd("INFO", "workers").decode().partition("recoveries:")[2].split()[0])
        until(lambda: not zombies(server.pid))  # one that has ended this moment is not reaped yet
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
    return {
        "kills": done,
        "in the middle of a change": recoveries,
        "commands": sum(client.commands for client in clients),
        "connections broken": sum(client.broken for client in clients),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--io", choices=SETTINGS, default="nginx")
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for name, number in run(options.io, options.kills, options.seed).items():
        print(f"{name}: {number}")
