"""Imports every module that adds commands to the table."""

from . import (
    bitfield,
    bitmap,
    blocking,
    connection,
    expire,
    generic,
    hyperloglog,
    monitor,
    pubsub,
    scan,
    t_string,
    t_string_lcs,
    transaction,
    watch,
)

__all__ = [
    "bitfield",
    "bitmap",
    "blocking",
    "connection",
    "expire",
    "generic",
    "hyperloglog",
    "monitor",
    "pubsub",
    "scan",
    "t_string",
    "t_string_lcs",
    "transaction",
    "watch",
]
