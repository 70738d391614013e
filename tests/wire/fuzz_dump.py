"""Feed RESTORE payloads of every type, damaged and with a right checksum, and look at what it makes of them.

python tests/wire/fuzz_dump.py [inputs] [seed]

A payload is refused, and then what was under the key is there as before, or it gives a value that can be
dumped and restored again to an equal one. In the end, no byte of memory is missing.
"""

import random
import struct
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from dump_samples import FORMS, VALUES, words
from rdb_payloads import footer, length, listpack, payload, string

import minikv

ERRORS = ("Bad data format", "DUMP payload version or checksum are wrong")
TOKENS = [
    b"\x00", b"\x01", b"\x3f", b"\x40\x00", b"\x7f\xff", b"\x80\x00\x00\x00\x01", b"\x80\xff\xff\xff\xff",
    b"\x81" + b"\xff" * 8, b"\x81" + b"\0" * 7 + b"\x01", b"\x82", b"\xbf", b"\xc0\x05", b"\xc1\x05\x00",
    b"\xc2\x05\x00\x00\x00", b"\xc3", b"\xc3\x03\x05", b"\xc4", b"\xf0\xff\xff\xff\xff", b"\xf1", b"\xf4",
    b"\xfe",
    b"\xff", b"\xfd", b"\x7f", b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80", b"\xff" * 8, b"\0" * 8,
]  # fmt: skip


def command(store, *args):
    return store.execute(*[arg if isinstance(arg, bytes) else str(arg).encode() for arg in args])


def samples(store):
    """Payloads without their footers, and the versions."""
    found = [(payload(kind, body)[:-10], version) for kind, body, version, _ in FORMS.values()]
    for name, (_, lines) in VALUES.items():
        command(store, "DEL", "key")
        for line in lines:
            command(store, *words(line, "key"))
        data = command(store, "DUMP", "key")
        if len(data) > 20_000:
            continue
        found.append((data[:-10], struct.unpack("<H", data[-10:-8])[0]))
        if name.startswith("stream"):  # the older forms of streams
            found.append((b"\x0f" + data[1:-10], 9))
            found.append((b"\x15" + data[1:-10], 11))
    command(store, "DEL", "key")
    node = listpack([1, 1, 1, b"f", 0, 2, 0, 0, b"v", 4, 3, 1, 0, b"gone", 4])
    body = length(1) + string(bytes(16)) + string(node) + length(1) + length(0) * 2 + length(0)
    found.append((b"\x0f" + body, 9))
    return found


def mutate(rng, data):
    for _ in range(rng.choice([1, 1, 1, 2, 3, 6])):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(7):
            case 0:
                data[at : at + 1] = rng.randbytes(1)
            case 1:
                del data[at : at + rng.randrange(1, 8)]
            case 2:
                token = rng.choice(TOKENS)
                data[at : at + len(token)] = token
            case 3:
                data[at:at] = data[at : at + rng.randrange(1, 40)]
            case 4:
                data[at : at + 1] = bytes([(data[at] ^ 1 << rng.randrange(8)) if at < len(data) else 0])
            case 5:
                data[at : at + 1] = bytes([(data[at] + rng.choice([-1, 1])) & 255 if at < len(data) else 255])
            case 6:
                if rng.random() < 0.3:
                    del data[at:]
    return data


def check(store, data):
    """Restore, and look at the result; True if it was taken."""
    command(store, "SET", "key", "old")
    try:
        reply = command(store, "RESTORE", "key", "0", data, "REPLACE")
    except minikv.ReplyError as error:
        assert any(text in str(error) for text in ERRORS), error
        assert command(store, "GET", "key") == b"old"
        assert command(store, "DBSIZE") == 2
        return False
    assert reply == "OK" or reply == b"OK", reply
    again = command(store, "DUMP", "key")
    if again is None:  # all fields have expired
        return True
    assert command(store, "RESTORE", "copy", "0", again) in ("OK", b"OK")
    digests = command(store, "DEBUG", "DIGEST-VALUE", "key", "copy")
    assert digests[0] == digests[1], digests
    command(store, "MEMORY", "USAGE", "key")
    command(store, "UNLINK", "copy")
    return True


def main(inputs=100_000, seed=0):
    rng = random.Random(seed)
    taken = 0
    with minikv.Store(enable_debug_command="yes") as store:
        command(store, "SET", "other", "so that the table stays")
        before = store.engine.memory()["arena_used"]
        known = samples(store)
        for data, version in known:
            assert check(store, footer(data, version)) or data[0] in (15, 21), data
        start = time.monotonic()
        for i in range(inputs):
            data, version = rng.choice(known)
            if rng.random() < 0.02:
                data = bytes([rng.randrange(30)]) + rng.randbytes(rng.randrange(60))
            mutated = bytes(mutate(rng, bytearray(data)))
            if rng.random() < 0.05:
                version = rng.choice([1, 9, 10, 11, 12, 80])
            try:
                taken += check(store, footer(mutated, version))
            except BaseException:
                print(f"seed {seed}, input {i}: {footer(mutated, version)!r}")
                raise
            if rng.random() < 0.001:
                check(store, mutated)  # as it is, without a footer
        command(store, "DEL", "key")
        for _ in range(10_000):
            if not store.engine.memory()["lazyfree_pending"]:
                break
            store.engine.timers()
        after = store.engine.memory()["arena_used"]
        assert after == before, (before, after)
        print(f"{inputs} inputs, {taken} taken, {inputs / (time.monotonic() - start):.0f}/s")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
