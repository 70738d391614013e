"""Commands written in Python, on the same table as the engine's own.

    @command("COUNTDOWN", arity=2, flags=READONLY, summary="Count down from a number.")
    def countdown(session: Session, start: bytes) -> list[int]:
        return list(range(int(start), 0, -1))

The function gets the session and the arguments behind the name as bytes; what it may return is told
in `minikv_core.pycommand`. It runs in the engine's thread between two other commands.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TypeVar

from minikv_core.commandflags import (
    ADMIN,
    ALLOW_BUSY,
    BLOCKING,
    DENYOOM,
    FAST,
    IN_MULTI,
    IN_PAUSE,
    IN_SUBSCRIBE,
    LOADING,
    MAY_REPLICATE,
    NO_ASYNC_LOADING,
    NO_AUTH,
    NO_MULTI,
    NOSCRIPT,
    PUBSUB,
    READONLY,
    SKIP_MONITOR,
    SKIP_SLOWLOG,
    STALE,
    WRITE,
)
from minikv_core.pycommand import NO_REPLY, NULL_ARRAY, Push, SetReply, Simple, Verbatim
from minikv_core.pycommand import OK_REPLY as OK
from minikv_core.pycommand import SessionView as Session
from minikv_core.registry import CommandSpec, KeyNum, KeySpec, KeyUnknown, KeyWord, define

from .errors import ReplyError

__all__ = [
    "ADMIN",
    "ALLOW_BUSY",
    "BLOCKING",
    "DENYOOM",
    "FAST",
    "IN_MULTI",
    "IN_PAUSE",
    "IN_SUBSCRIBE",
    "LOADING",
    "MAY_REPLICATE",
    "NOSCRIPT",
    "NO_ASYNC_LOADING",
    "NO_AUTH",
    "NO_MULTI",
    "NO_REPLY",
    "NULL_ARRAY",
    "OK",
    "PUBSUB",
    "READONLY",
    "SKIP_MONITOR",
    "SKIP_SLOWLOG",
    "STALE",
    "WRITE",
    "CommandSpec",
    "KeyNum",
    "KeySpec",
    "KeyUnknown",
    "KeyWord",
    "Push",
    "ReplyError",
    "Session",
    "SetReply",
    "Simple",
    "Verbatim",
    "command",
    "define",
]

F = TypeVar("F", bound=Callable[..., object])


def command(
    name: str,
    *,
    arity: int | None = None,
    flags: int = 0,
    keys: KeySpec | KeyNum | KeyWord | tuple[KeySpec | KeyNum | KeyWord, ...] = (),
    group: str = "generic",
    since: str = "0.1.0",
    cost: str = "",
    summary: str = "",
    args: str = "",
    categories: str = "",
    tips: tuple[str, ...] = (),
    history: tuple[tuple[str, str], ...] = (),
) -> Callable[[F], F]:
    """Add the decorated function as a command of every engine in this process.

    name      "NAME", or "CONTAINER NAME" for a subcommand; in any case
    arity     arguments with the name(s), -n for n at least; read off the signature if not given
    flags     WRITE, READONLY, FAST, ...; WRITE or READONLY decides what a pause holds back
    keys      where the keys are
    errors    ValueError if the name is a built-in command or not a command name
    """

    def add(function: F) -> F:
        define(
            name,
            function,
            arity=arity_of(function, len(name.split())) if arity is None else arity,
            flags=flags,
            keys=keys,
            group=group,
            since=since,
            cost=cost,
            summary=summary or (inspect.getdoc(function) or "").partition("\n")[0],
            args=args,
            categories=categories,
            tips=tips,
            history=history,
        )
        return function

    return add


def arity_of(function: Callable[..., object], words: int) -> int:
    """The arity that a function's signature says: its parameters behind the session, and the name's words."""
    parameters = list(inspect.signature(function).parameters.values())[1:]
    needed = [p for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    exact = len(needed) == len(parameters)
    return words + len(needed) if exact else -(words + len(needed))
