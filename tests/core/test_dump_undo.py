"""RESTORE under the undo log: all of it or nothing, whatever the type and whatever was there."""

import pytest
from dump_samples import VALUES, words
from rdb_payloads import length, payload, string
from test_undo import Store

BAD = payload(2, length(300) + b"".join(string(b"member %d" % i) for i in range(299)) + string(b"member 7"))


@pytest.mark.parametrize("name", VALUES)
def test_restore(name):
    store = Store()
    for line in VALUES[name][1]:
        store.run(*words(line, "key"))
    data = store.run("DUMP", "key")
    store.run("RPUSH", "list", *range(1000))
    store.run("SADD", "set", *(f"m{i}" for i in range(500)))
    store.commit()
    store.undone(
        ("RESTORE", "new", 0, data),
        ("RESTORE", "list", 0, data, "REPLACE"),
        ("RESTORE", "set", 100_000, data, "REPLACE"),
        ("RESTORE", "key", 0, data, "REPLACE"),
    )
    store.undone(("RESTORE", "bad", 0, BAD), ("RESTORE", "key", 0, BAD, "REPLACE"))
    store.done(("RESTORE", "list", 0, data, "REPLACE"), ("RESTORE", "new", 0, BAD))
