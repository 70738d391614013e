"""CLIENT TRACKING and its kin. Who is told what, and when, is the matter of tracking.pyx."""

from minikv_core import pycommand
from minikv_core.commandflags import (
    IS_INTERNAL,
    TRACK_BCAST,
    TRACK_BROKEN,
    TRACK_CACHING,
    TRACK_NOLOOP,
    TRACK_OPTIN,
    TRACK_OPTOUT,
)

from minikv.arguments import parse_int, shown
from minikv.registry import OK, ReplyError, Session, SetReply, command

from .client import FLAGS, SYNTAX_ERROR

OPTIONS = {b"bcast": TRACK_BCAST, b"optin": TRACK_OPTIN, b"optout": TRACK_OPTOUT, b"noloop": TRACK_NOLOOP}
SWITCHED = (
    "ERR You can't switch {} mode {}before disabling tracking for this client, and then re-enabling it "
    "with a different mode."
)
NOT_CHOOSING = (
    "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode "
    "enabled"
)


@command(
    "CLIENT TRACKING", arity=-3, flags=FLAGS, group="connection", since="6.0.0",
    cost="O(1); with BCAST, O(N) for N prefixes",
    summary="Have the session told when keys change that it has read, or that begin as it says.",
    args="<ON|OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] "
    "[NOLOOP]",
)  # fmt: skip
def client_tracking(session: Session, mode: bytes, *words: bytes) -> object:
    to, options, prefixes = parse_options(session, list(words))
    if mode.lower() == b"off":
        session.end_tracking()
        return OK
    if mode.lower() != b"on":
        raise ReplyError(SYNTAX_ERROR)
    check_options(session, options, prefixes)
    if session.engine.refusal:
        raise ReplyError(f"ERR CLIENT TRACKING is not available with {session.engine.refusal}")
    if session.flags & IS_INTERNAL:
        raise ReplyError("ERR CLIENT TRACKING is for connections: a caller is told nothing between its calls")
    session.track(options, to, prefixes or [b""] if options & TRACK_BCAST else [])
    return OK


def parse_options(session: Session, words: list[bytes]) -> tuple[Session | None, int, list[bytes]]:
    """Who gets the messages, TRACK_ bits, and prefixes."""
    to: Session | None = None
    options = 0
    prefixes = []
    while words:
        word = words.pop(0).lower()
        if word == b"redirect" and words:
            if to is not None:
                raise ReplyError("ERR A client can only redirect to a single other client")
            to = pycommand.find_session(session.engine, parse_int(words.pop(0)))
            if to is None:
                raise ReplyError("ERR The client ID you want redirect to does not exist")
        elif word == b"prefix" and words:
            prefixes.append(words.pop(0))
        elif word in OPTIONS:
            options |= OPTIONS[word]
        else:
            raise ReplyError(SYNTAX_ERROR)
    return to, options, prefixes


def check_options(session: Session, options: int, prefixes: list[bytes]) -> None:
    """Whether the options go together, and with those that are in force."""
    present, _, known = session.tracking or (options, 0, [])
    if prefixes and not options & TRACK_BCAST:
        raise ReplyError("ERR PREFIX option requires BCAST mode to be enabled")
    if (present ^ options) & TRACK_BCAST:
        raise ReplyError(SWITCHED.format("BCAST", "on/off "))
    if options & TRACK_BCAST and options & (TRACK_OPTIN | TRACK_OPTOUT):
        raise ReplyError("ERR OPTIN and OPTOUT are not compatible with BCAST")
    if options & TRACK_OPTIN and options & TRACK_OPTOUT:
        raise ReplyError("ERR You can't specify both OPTIN mode and OPTOUT mode")
    if (options & TRACK_OPTIN and present & TRACK_OPTOUT) or (
        options & TRACK_OPTOUT and present & TRACK_OPTIN
    ):
        raise ReplyError(SWITCHED.format("OPTIN/OPTOUT", ""))
    for i, prefix in enumerate(prefixes):
        check_prefix(prefix, known, "an existing")
        check_prefix(prefix, prefixes[i + 1 :], "another provided")


def check_prefix(prefix: bytes, others: list[bytes], what: str) -> None:
    for other in others:
        if prefix.startswith(other) or other.startswith(prefix):
            raise ReplyError(
                f"ERR Prefix '{shown(prefix)}' overlaps with {what} prefix '{shown(other)}'. "
                "Prefixes for a single client must not overlap."
            )


@command(
    "CLIENT CACHING", arity=3, flags=FLAGS, group="connection", since="6.0.0", cost="O(1)",
    summary="Say whether the keys that the next command reads are to be tracked.", args="<YES|NO>",
)  # fmt: skip
def client_caching(session: Session, mode: bytes) -> object:
    if session.tracking is None:
        raise ReplyError(NOT_CHOOSING)
    options = session.tracking[0]
    word = mode.lower()
    if word not in (b"yes", b"no"):
        raise ReplyError(SYNTAX_ERROR)
    wanted, name = (TRACK_OPTIN, "YES {} OPTIN") if word == b"yes" else (TRACK_OPTOUT, "NO {} OPTOUT")
    if not options & wanted:
        valid = name.format("is only valid when tracking is enabled in")
        raise ReplyError(f"ERR CLIENT CACHING {valid} mode.")
    session.choose_caching()
    return OK


@command(
    "CLIENT TRACKINGINFO", arity=2, flags=FLAGS, group="connection", since="6.2.0", cost="O(1)",
    summary="Describe how the session tracks.",
)  # fmt: skip
def client_trackinginfo(session: Session) -> dict[str, object]:
    if session.tracking is None:
        return {"flags": SetReply(["off"]), "redirect": -1, "prefixes": []}
    options, to, prefixes = session.tracking
    caching = options & TRACK_CACHING
    states = {
        "on": True,
        "bcast": options & TRACK_BCAST,
        "optin": options & TRACK_OPTIN,
        "caching-yes": options & TRACK_OPTIN and caching,
        "optout": options & TRACK_OPTOUT,
        "caching-no": options & TRACK_OPTOUT and caching,
        "noloop": options & TRACK_NOLOOP,
        "broken_redirect": options & TRACK_BROKEN,
    }
    flags = SetReply(name for name, state in states.items() if state)
    return {"flags": flags, "redirect": to, "prefixes": prefixes}


@command(
    "CLIENT GETREDIR", arity=2, flags=FLAGS, group="connection", since="6.0.0", cost="O(1)",
    summary="Tell which session gets this one's invalidation messages: 0 = itself, -1 = it does not track.",
)  # fmt: skip
def client_getredir(session: Session) -> int:
    return session.tracking[1] if session.tracking else -1
