"""HELLO and AUTH: who the client is and which protocol it speaks."""

import hmac
from hashlib import sha256

from minikv_core.commandflags import NEED_AUTH

from minikv.arguments import parse_int, shown
from minikv.registry import (
    ALLOW_BUSY,
    FAST,
    LOADING,
    NO_AUTH,
    NOSCRIPT,
    OK,
    STALE,
    ReplyError,
    Session,
    command,
)
from minikv.version import REDIS_VERSION

from .client import checked

FLAGS = NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY
WRONG_PASSWORD = "WRONGPASS invalid username-password pair or user is disabled."
NO_PASSWORD = (
    "ERR AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?"
)
HELLO_NEEDS_AUTH = (
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH "
    "<user> <pass> option can be used to authenticate the client and select the RESP protocol version at "
    "the same time"
)


@command(
    "HELLO", arity=-1, flags=FLAGS, group="connection", since="6.0.0", cost="O(1)",
    summary="Choose the protocol, and log in and take a name at the same time.",
    args="[protover [AUTH username password] [SETNAME clientname]]",
    history=(("6.2.0", "The protocol version may be left out."),),
)  # fmt: skip
def hello(session: Session, *words: bytes) -> dict[str, object]:
    version, login, name = parse_hello(words)
    if login:
        log_in(session, *login)
    if is_stranger(session):
        raise ReplyError(HELLO_NEEDS_AUTH)
    if name is not None:
        session.name = name
    if version:
        session.protocol = version
    return {
        "server": "redis",
        "version": REDIS_VERSION,
        "proto": session.protocol,
        "id": session.id,
        "mode": "standalone",
        "role": "master",
        "modules": [],
    }


def parse_hello(words: tuple[bytes, ...]) -> tuple[int, tuple[bytes, bytes] | None, bytes | None]:
    """The version (0 = as it is), user and password, and the name that HELLO's arguments ask for."""
    if not words:
        return 0, None, None
    version = parse_int(words[0], "ERR Protocol version is not an integer or out of range")
    if version not in (2, 3):
        raise ReplyError("NOPROTO unsupported protocol version")
    login = name = None
    i = 1
    while i < len(words):
        option = words[i].lower()
        if option == b"auth" and i + 2 < len(words):
            login = words[i + 1], words[i + 2]
            i += 3
        elif option == b"setname" and i + 1 < len(words):
            name = checked(words[i + 1], "Client names")
            i += 2
        else:
            raise ReplyError(f"ERR Syntax error in HELLO option '{shown(words[i])}'")
    return version, login, name


@command(
    "AUTH", arity=-2, flags=FLAGS, group="connection", since="1.0.0", cost="O(1)",
    summary="Log in with a password.", args="[username] password",
    history=(("6.0.0", "Names of users."),),
)  # fmt: skip
def auth(session: Session, *words: bytes) -> object:
    if len(words) > 2:
        raise ReplyError("ERR syntax error")
    if len(words) == 1 and not session.server.settings["requirepass"]:
        raise ReplyError(NO_PASSWORD)
    user = words[0] if len(words) == 2 else b"default"
    log_in(session, user, words[-1])
    return OK


def log_in(session: Session, user: bytes, password: bytes) -> None:
    """Let the session in if the password is right; without requirepass, every password is.

    The comparison takes the same time wherever the passwords differ.
    """
    wanted = session.server.settings["requirepass"].encode("utf-8", "surrogateescape")
    same = hmac.compare_digest(sha256(password).digest(), sha256(wanted).digest())
    if user != b"default" or (wanted and not same):
        raise ReplyError(WRONG_PASSWORD)
    session.gate &= ~NEED_AUTH


def is_stranger(session: Session) -> bool:
    return bool(session.gate & NEED_AUTH and session.server.settings["requirepass"])
