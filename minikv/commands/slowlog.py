"""SLOWLOG: the commands that took longer than slowlog-log-slower-than."""

from itertools import chain, islice
from typing import Any

from minikv.arguments import parse_int
from minikv.everywhere import any_success, everywhere, first
from minikv.help_text import help_lines
from minikv.registry import ADMIN, LOADING, OK, STALE, ReplyError, Session, Simple, command, define

FLAGS = ADMIN | LOADING | STALE
TO_ALL_NODES = "request_policy:all_nodes"
BAD_COUNT = "ERR count should be greater than or equal to -1"
USUAL_COUNT = 10


def newest(replies: list[Any], args: tuple[bytes, ...]) -> object:
    """The newest entries of all processes."""
    count = int(args[0]) if args else USUAL_COUNT
    first(replies, args)
    entries = sorted(chain(*replies), key=lambda entry: -int(entry[1]))
    return entries if count == -1 else entries[:count]


define(
    "SLOWLOG", None, arity=-2, flags=0, group="server", since="2.2.12", cost="that of the subcommand",
    summary="Show the commands that took long.",
)  # fmt: skip


@command(
    "SLOWLOG GET", arity=-2, flags=FLAGS, group="server", since="2.2.12", cost="O(N) for N entries",
    summary="Show the newest entries.", args="[count]", tips=(TO_ALL_NODES, "nondeterministic_output"),
    history=(("4.0.0", "The client's address and name."),),
)  # fmt: skip
@everywhere(b"SLOWLOG GET", newest)
def slowlog_get(session: Session, *words: bytes) -> list[list[object]]:
    if len(words) > 1:
        raise ReplyError("ERR wrong number of arguments for 'slowlog|get' command")
    count = parse_int(words[0], BAD_COUNT) if words else USUAL_COUNT
    if count < -1:
        raise ReplyError(BAD_COUNT)
    entries = session.server.slowlog.entries
    return [list(entry) for entry in islice(entries, None if count == -1 else count)]


@command(
    "SLOWLOG LEN", arity=2, flags=FLAGS, group="server", since="2.2.12", cost="O(1)",
    summary="Count the entries.",
    tips=(TO_ALL_NODES, "response_policy:agg_sum", "nondeterministic_output"),
)  # fmt: skip
@everywhere(b"SLOWLOG LEN", any_success)
def slowlog_len(session: Session) -> int:
    return len(session.server.slowlog.entries)


@command(
    "SLOWLOG RESET", arity=2, flags=FLAGS, group="server", since="2.2.12", cost="O(N) for N entries",
    summary="Forget all entries.", tips=(TO_ALL_NODES, "response_policy:all_succeeded"),
)  # fmt: skip
@everywhere(b"SLOWLOG RESET", first)
def slowlog_reset(session: Session) -> object:
    session.server.slowlog.entries.clear()
    return OK


@command(
    "SLOWLOG HELP", arity=2, flags=LOADING | STALE, group="server", since="6.2.0", cost="O(1)",
    summary="Explain the subcommands.",
)  # fmt: skip
def slowlog_help(session: Session) -> list[Simple]:
    return help_lines(HELP)


HELP = """
SLOWLOG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:
GET [<count>]
    Show the newest entries (default: 10, -1: all), each as
    number, Unix time, microseconds, arguments, client's address, client's name.
LEN
    Count the entries.
RESET
    Forget all entries.
HELP
    Show this text.
"""
