"""RESTORE in a store that is full: the value is refused whole, and no byte is lost."""

import pytest
from dump_samples import VALUES, words
from minikv_core.handle import EngineHandle

import minikv  # noqa: F401  (adds the commands)
from minikv.errors import ReplyError


def run(handle, *args):
    return handle.execute(0, 2, tuple(arg if isinstance(arg, bytes) else str(arg).encode() for arg in args))


@pytest.mark.parametrize("name", VALUES)
def test_full_store(name):
    source = EngineHandle(1)
    for line in VALUES[name][1]:
        run(source, *words(line, "key"))
    data = run(source, "DUMP", "key")
    handle = EngineHandle(1, 4 << 20)
    run(handle, "SET", "other", 1)
    before = handle.memory()["arena_used"]
    made = 0
    for size in (len(data), 100_000, 3000, 100, 10):  # what fills the gaps
        filler = b"x" * max(1, size - 20)
        for _ in range(200_000):
            try:
                run(handle, "RESTORE", f"k{made}", 0, data)
                made += 1
            except ReplyError as error:
                assert "memory is full" in str(error)
                break
        for i in range(200_000):
            try:
                run(handle, "SET", f"f{size}-{i}", filler)
            except ReplyError:
                break
    assert made and run(handle, "DUMP", f"k{made - 1}")[:-10].startswith(data[:1])
    with pytest.raises(ReplyError, match="memory is full"):
        run(handle, "RESTORE", "key", 100_000, data)
    for key in run(handle, "KEYS", "*"):
        if key != b"other":
            run(handle, "DEL", key)
    for _ in range(10_000):
        if not handle.memory()["lazyfree_pending"]:
            break
        handle.timers()
    for _ in range(1000):
        handle.timers()
    assert handle.memory()["arena_used"] == before
