"""DEBUG DIGEST: forty hexadecimal digits for a data set, the same as those of a Redis with the same data."""

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

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


def value_digest(digest: int, kind: int, value: Any, expires: bool) -> int:
    """The digest of what came before, with a value of an engine's kind (inspection.key_value) behind it."""
    number, with_value = KINDS[kind]
    digest = with_value(mixed(digest, number.to_bytes(4, "big")), value)
    return digest ^ sha1(b"!!expire!!") if expires else digest


def with_list(digest: int, elements: list[bytes]) -> int:
    for element in elements:
        digest = mixed(digest, element)
    return digest


def with_set(digest: int, members: list[bytes]) -> int:
    for member in members:
        digest ^= sha1(member)
    return digest


def with_hash(digest: int, fields: list[tuple[bytes, bytes, bool]]) -> int:
    for field, value, expires in fields:
        one = mixed(mixed(EMPTY, field), value)
        digest ^= sha1(as_bytes(one ^ sha1(b"!!hexpire!!") if expires else one))
    return digest


def with_sorted_set(digest: int, members: list[tuple[bytes, bytes]]) -> int:
    for member, score in members:
        digest ^= sha1(as_bytes(mixed(mixed(EMPTY, member), score)))
    return digest


def with_stream(digest: int, entries: list[tuple[bytes, list[bytes]]]) -> int:
    for id, words in entries:
        digest = with_list(mixed(digest, id.replace(b"-", b".")), words)
    return digest


# Kind -> Redis's number of the type, and what takes a value in
KINDS: tuple[tuple[int, Callable[[int, Any], int]], ...] = (
    (0, mixed), (1, with_list), (4, with_hash), (2, with_set), (3, with_sorted_set), (6, with_stream),
)  # fmt: skip


def data_digest(engine: EngineHandle, databases: Iterable[int]) -> int:
    """The digest of whole databases; the order of their keys does not count."""
    total = EMPTY

    def visit(key: bytes, kind: int, value: Any, expires: bool) -> None:
        nonlocal total
        total ^= sha1(as_bytes(value_digest(mixed(EMPTY, key), kind, value, expires)))

    for index in databases:
        total = mixed(total, index.to_bytes(4, "big"))
        walk(engine, index, visit)
    return total


def shown(digest: int) -> str:
    return f"{digest:040x}"
