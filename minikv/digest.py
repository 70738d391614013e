"""DEBUG DIGEST: forty hexadecimal digits for a data set, the same as those of a Redis with the same data."""

import hashlib
from collections.abc import Iterable

from minikv_core.handle import EngineHandle
from minikv_core.inspection import walk

EMPTY = 0  # digests are numbers of 20 bytes


def mixed(digest: int, data: bytes) -> int:
    """Take data in so that its place counts."""
    return sha1(as_bytes(digest ^ sha1(data)))


def as_bytes(digest: int) -> bytes:
    return digest.to_bytes(20, "big")


def sha1(data: bytes) -> int:
    return int.from_bytes(hashlib.sha1(data, usedforsecurity=False).digest(), "big")


def value_digest(digest: int, kind: int, value: bytes, expires: bool) -> int:
    """The digest of what came before, with a value of a Redis type number behind it."""
    digest = mixed(mixed(digest, kind.to_bytes(4, "big")), value)
    return digest ^ sha1(b"!!expire!!") if expires else digest


def data_digest(engine: EngineHandle, databases: Iterable[int]) -> int:
    """The digest of whole databases; the order of their keys does not count."""
    total = EMPTY

    def visit(key: bytes, kind: int, value: bytes, expires: bool) -> None:
        nonlocal total
        total ^= sha1(as_bytes(value_digest(mixed(EMPTY, key), kind, value, expires)))

    for index in databases:
        total = mixed(total, index.to_bytes(4, "big"))
        walk(engine, index, visit)
    return total


def shown(digest: int) -> str:
    return f"{digest:040x}"
