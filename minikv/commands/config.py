"""CONFIG: read, change and write back the settings of a running server."""

from minikv import log
from minikv.errors import ReplyError, SettingError, UnknownSetting
from minikv.help_text import help_lines
from minikv.registry import ADMIN, LOADING, NOSCRIPT, OK, STALE, Session, Simple, command, define

FLAGS = ADMIN | NOSCRIPT | LOADING | STALE
TO_ALL_NODES = ("request_policy:all_nodes", "response_policy:all_succeeded")

define(
    "CONFIG", None, arity=-2, flags=0, group="server", since="2.0.0", cost="that of the subcommand",
    summary="Show and change settings.",
)  # fmt: skip


@command(
    "CONFIG GET", arity=-3, flags=FLAGS, group="server", since="2.0.0", cost="O(N) in settings and patterns",
    summary="Read settings by name or glob pattern.", args="parameter [parameter ...]",
    history=(("7.0.0", "Several patterns."),),
)  # fmt: skip
def config_get(session: Session, *patterns: bytes) -> dict[bytes, bytes]:
    texts = session.server.settings.matching(map(_decode, patterns))
    return {_encode(name): _encode(text) for name, text in texts.items()}


@command(
    "CONFIG SET", arity=-4, flags=FLAGS, group="server", since="2.0.0", cost="O(N) in settings given",
    summary="Change settings, all of them or none.", args="parameter value [parameter value ...]",
    tips=TO_ALL_NODES, history=(("7.0.0", "Several settings."),),
)  # fmt: skip
def config_set(session: Session, *words: bytes) -> object:
    if len(words) % 2:
        raise ReplyError("ERR syntax error")
    texts = [_decode(word) for word in words]
    pairs = list(zip(texts[::2], texts[1::2], strict=True))
    settings = session.server.settings
    try:
        settings.set(pairs, session.is_local)
    except UnknownSetting as error:
        raise ReplyError(
            f"ERR Unknown option or number of arguments for CONFIG SET - '{error.name}'"
        ) from None
    except SettingError as error:
        raise ReplyError(
            f"ERR CONFIG SET failed (possibly related to argument '{error.name}') - {error.reason}"
        ) from None
    session.server.settings_set()
    for name, reason in settings.idle(name for name, _ in pairs):
        log.warning("%s does nothing yet: %s", name, reason)
    return OK


@command(
    "CONFIG REWRITE", arity=2, flags=FLAGS, group="server", since="2.8.0", cost="O(1)",
    tips=TO_ALL_NODES, summary="Write the settings back to the file the server was started with.",
)  # fmt: skip
def config_rewrite(session: Session) -> object:
    try:
        session.server.settings.rewrite()
    except SettingError as error:
        raise ReplyError(f"ERR {error.reason}") from None
    except OSError as error:
        log.warning("CONFIG REWRITE failed: %s", error.strerror)
        raise ReplyError(f"ERR Rewriting config file: {error.strerror}") from None
    log.notice("CONFIG REWRITE executed with success.")
    return OK


@command(
    "CONFIG RESETSTAT", arity=2, flags=FLAGS, group="server", since="2.0.0", cost="O(1)",
    tips=TO_ALL_NODES, summary="Set the statistics of INFO back to zero.",
)  # fmt: skip
def config_resetstat(session: Session) -> object:
    session.server.reset_stats()
    return OK


@command(
    "CONFIG HELP", arity=2, flags=LOADING | STALE, group="server", since="5.0.0", cost="O(1)",
    summary="List the subcommands of CONFIG.",
)  # fmt: skip
def config_help(session: Session) -> list[Simple]:
    return help_lines(HELP)


HELP = """
CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:
GET <pattern>
    Read the settings that match <pattern>.
SET <directive> <value>
    Change a setting.
RESETSTAT
    Set the statistics of INFO back to zero.
REWRITE
    Write the settings back to the file.
HELP
    Show this text.
"""


def _decode(word: bytes) -> str:
    return word.decode("utf-8", "surrogateescape")


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
