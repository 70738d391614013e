"""ROLE, LOLWUT and SHUTDOWN."""

import random

from minikv_core.commandflags import IS_INTERNAL
from minikv_core.pycommand import stop

from minikv import log
from minikv.arguments import parse_int
from minikv.registry import (
    ADMIN,
    ALLOW_BUSY,
    FAST,
    LOADING,
    NO_MULTI,
    NO_REPLY,
    NOSCRIPT,
    READONLY,
    STALE,
    ReplyError,
    Session,
    Verbatim,
    command,
)
from minikv.version import REDIS_VERSION, __version__

SYNTAX_ERROR = "ERR syntax error"
ART_COLUMNS, ART_ROWS = 36, 12  # of braille characters, each 2 x 4 dots
ART_RULES = 18, 22, 30, 45, 60, 73, 90, 105, 110, 150  # those that do not die out
BRAILLE = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))  # column and row of each dot's bit


@command(
    "ROLE", arity=1, flags=NOSCRIPT | LOADING | STALE | FAST, group="server", since="2.8.12", cost="O(1)",
    categories="admin dangerous", summary="Tell the role in replication.",
)  # fmt: skip
def role(session: Session) -> list[object]:
    return ["master", 0, []]


@command(
    "LOLWUT", arity=-1, flags=READONLY | FAST, group="server", since="5.0.0",
    summary="Draw something, and tell the version.", args="[VERSION version]",
)  # fmt: skip
def lolwut(session: Session, *words: bytes) -> Verbatim:
    if len(words) > 1 and words[0].lower() == b"version":
        parse_int(words[1])
    rule = random.choice(ART_RULES)
    return Verbatim(f"{automaton(rule)}\nRule {rule}. Redis ver. {REDIS_VERSION} (minikv {__version__})\n")


def automaton(rule: int) -> str:
    """An elementary cellular automaton from a random first row, a dot for each living cell."""
    width = ART_COLUMNS * 2
    row = [random.random() < 0.1 for _ in range(width)]
    rows = []
    for _ in range(ART_ROWS * 4):
        rows.append(row)
        row = [bool(rule >> (row[i - 1] * 4 + row[i] * 2 + row[(i + 1) % width]) & 1) for i in range(width)]
    lines = []
    for y in range(0, len(rows), 4):
        cells = (
            sum(rows[y + dy][x + dx] << bit for bit, (dx, dy) in enumerate(BRAILLE))
            for x in range(0, width, 2)
        )
        lines.append("".join(chr(0x2800 + cell) for cell in cells))
    return "\n".join(lines)


@command(
    "SHUTDOWN", arity=-1, flags=ADMIN | NOSCRIPT | LOADING | STALE | NO_MULTI | ALLOW_BUSY, group="server",
    since="1.0.0", cost="O(1)", args="[NOSAVE|SAVE] [NOW] [FORCE] [ABORT]", summary="End the server.",
    history=(("7.0.0", "Options NOW, FORCE and ABORT."),),
)  # fmt: skip
def shutdown(session: Session, *words: bytes) -> object:
    options = {word.lower() for word in words}
    if not options <= {b"nosave", b"save", b"now", b"force", b"abort"} or {b"nosave", b"save"} <= options:
        raise ReplyError(SYNTAX_ERROR)
    if b"abort" in options:
        if len(words) > 1:
            raise ReplyError(SYNTAX_ERROR)
        raise ReplyError("ERR No shutdown in progress.")
    if session.flags & IS_INTERNAL:
        raise ReplyError("ERR there is no server to end")
    if b"save" in options:
        log.warning("SHUTDOWN SAVE: data can't be saved yet")
        if b"force" not in options:
            raise ReplyError("ERR Errors trying to SHUTDOWN. Check logs.")
    log.warning("User requested shutdown...")
    stop(session.engine, 0)
    session.close()  # nothing behind it runs
    return NO_REPLY
