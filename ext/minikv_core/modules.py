"""Imports every module that adds commands to the table."""

from . import blocking, connection, expire, generic, monitor, pubsub, scan, t_string, t_string_lcs, transaction, watch

__all__ = [
    "blocking",
    "connection",
    "expire",
    "generic",
    "monitor",
    "pubsub",
    "scan",
    "t_string",
    "t_string_lcs",
    "transaction",
    "watch",
]
