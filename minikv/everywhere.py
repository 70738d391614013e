"""Commands that speak for all processes of a server, when several serve one store."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from minikv_core import places

from .errors import ReplyError
from .registry import Session

Merge = Callable[[list[Any], tuple[bytes, ...]], object]


def everywhere(name: bytes, merge: Merge) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """Let a command run in every process of the server.

    name    the command's words
    merge   makes one reply of all, this process's first, given the arguments; errors come as ReplyError
    """

    def wrap(function: Callable[..., object]) -> Callable[..., object]:
        @functools.wraps(function)
        def run(session: Session, *args: bytes) -> object:
            if session.fd < 0 or not places.is_shared(session.engine):
                return function(session, *args)
            try:
                mine = function(session, *args)
            except ReplyError as error:
                mine = error
            return merge([mine, *places.ask(session.engine, (*name.split(), *args))], args)

        return run

    return wrap


def first(replies: list[Any], args: tuple[bytes, ...]) -> object:
    """This process's reply: they are all alike."""
    if isinstance(replies[0], ReplyError):
        raise replies[0]
    return replies[0]


def any_success(replies: list[Any], args: tuple[bytes, ...]) -> object:
    """A count, summed; else the first reply that is no error, else the first error."""
    good = [reply for reply in replies if not isinstance(reply, ReplyError)]
    if not good:
        raise replies[0]
    return sum(good) if all(isinstance(reply, int) for reply in good) else good[0]


def joined(replies: list[Any], args: tuple[bytes, ...]) -> object:
    """Texts, one behind the other, in the shape of the first."""
    kind: type[str] = type(first(replies, args))  # type: ignore[assignment]
    texts = (
        reply if isinstance(reply, str) else reply.decode()
        for reply in replies
        if not isinstance(reply, ReplyError)
    )
    return kind("".join(texts))
