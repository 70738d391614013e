"""DEBUG: what tests need to see and to change. Refused unless enable-debug-command lets the client in."""

import contextlib
import os
from collections.abc import Callable
from typing import Any

from minikv_core.glob import glob_matches
from minikv_core.inspection import (
    key_facts,
    key_value,
    populate,
    reload,
    saved_length,
    table_facts,
    value_table_facts,
)
from minikv_core.pycommand import Attributes, Several

from minikv import digest, log
from minikv.arguments import parse_int, shown
from minikv.help_text import help_lines
from minikv.registry import (
    ADMIN,
    LOADING,
    NOSCRIPT,
    OK,
    STALE,
    Push,
    ReplyError,
    Session,
    SetReply,
    Simple,
    Verbatim,
    command,
)
from minikv.setting_kinds import parse_memory

NO_KEY = "ERR no such key"
NOT_POSITIVE = "ERR value is out of range, must be positive"
NOT_ALLOWED = (
    'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it '
    "from a local connection, otherwise you need to set this option in the configuration file, and then "
    "restart the server."
)
NO_PERSISTENCE = "ERR there is no persistence yet: nothing to load from"
CRASH = "ERR a client can't make this server crash"

Handler = Callable[..., object]


@command(
    "DEBUG", arity=-2, flags=ADMIN | NOSCRIPT | LOADING | STALE, group="server", since="1.0.0",
    cost="that of the subcommand", summary="Look into the server, for tests.",
)  # fmt: skip
def debug(session: Session, word: bytes, *args: bytes) -> object:
    if not session.server.settings.allows("enable-debug-command", session.is_local):
        raise ReplyError(NOT_ALLOWED)
    least, most, handler = SUBCOMMANDS.get(word.lower(), (1, 0, wrong_usage))
    if not least <= len(args) <= most:
        wrong_usage(word)
    return handler(session, *args)


def wrong_usage(word: bytes) -> None:
    raise ReplyError(
        f"ERR unknown subcommand or wrong number of arguments for '{shown(word)}'. Try DEBUG HELP."
    )


# ---------------------------------------------------------------- time, errors, the log


def sleep(session: Session, seconds: bytes) -> object:
    with contextlib.suppress(ValueError, OverflowError):  # what is no number counts as 0
        session.engine.sleep(float(seconds))
    return OK


def rewrite_all(session: Session) -> object:
    session.server.settings.rewrite(everything=True)
    return OK


def raise_error(session: Session, text: bytes) -> object:
    raise ReplyError(text.decode("utf-8", "surrogateescape"))


def write_log(session: Session, text: bytes) -> object:
    log.warning("DEBUG LOG: %s", text.decode("utf-8", "replace"))
    return OK


def refuse_crash(session: Session, *args: bytes) -> object:
    raise ReplyError(CRASH)


def refuse_load(session: Session, *args: bytes) -> object:
    raise ReplyError(NO_PERSISTENCE)


# ---------------------------------------------------------------- switches


def switch(name: str) -> Handler:
    """A subcommand that sets a value of the engine to 0 or another number."""

    def handler(session: Session, value: bytes) -> object:
        session.engine.configure(name, bool(number(value)))
        return OK

    return handler


def number(word: bytes) -> int:
    """A number as atoi() reads it: what is none counts as 0."""
    try:
        return parse_int(word)
    except ReplyError:
        return 0


def reply_buffer(session: Session, what: bytes, value: bytes) -> object:
    option = what.lower()
    if option == b"resizing":
        session.engine.configure("reply_resizing", bool(number(value)))
    elif option == b"peak-reset-time":
        word = value.lower()
        usual = {b"never": -1, b"reset": 5000}
        session.engine.configure("reply_peak_reset", usual[word] if word in usual else parse_int(value))
    else:
        wrong_usage(b"replybuffer")
    return OK


def change_nothing(session: Session, *args: bytes) -> object:
    """For what minikv has no counterpart of: the table grows by itself, and no script can be refused."""
    return OK


def packed_threshold(session: Session, size: bytes) -> object:
    # tests of lists set it; blocks of a list take elements of any size
    count = parse_memory(size.decode("latin-1"))
    if count is None or count > 1 << 32:
        raise ReplyError("ERR argument must be a memory value bigger than 1 and smaller than 4gb")
    return OK


def change_replication_id(session: Session) -> object:
    session.server.replication_id = os.urandom(20).hex()
    return OK


# ---------------------------------------------------------------- keys


def facts_of(session: Session, key: bytes) -> dict[str, Any]:
    facts: dict[str, Any] | None = key_facts(session, key)
    if facts is None:
        raise ReplyError(NO_KEY)
    return facts


def describe_object(session: Session, key: bytes) -> Simple:
    facts = facts_of(session, key)
    settings = session.server.settings
    more = ""
    if facts["encoding"] == "quicklist":
        depth = settings["list-compress-depth"]
        more = f" ql_listpack_max:{settings['list-max-listpack-size']} ql_compressed:{int(depth > 0)}"
    return Simple(
        f"Value at:{facts['address']:#x} refcount:1 encoding:{facts['encoding']} "
        f"serializedlength:{saved_length(session, key)} lru:{facts['clock']} "
        f"lru_seconds_idle:{facts['idle']}{more}"
    )


def string_lengths(session: Session, key: bytes) -> Simple:
    facts = facts_of(session, key)
    if facts["kind"] != 0 or facts["encoding"] == "int":
        raise ReplyError("ERR Not an sds encoded string.")
    return Simple(
        f"key_sds_len:{len(key)}, key_sds_avail:0, key_zmalloc: {facts['entry']}, "
        f"val_sds_len:{facts['length']}, val_sds_avail:{max(0, facts['outside'] - 8 - facts['length'])}, "
        f"val_zmalloc: {facts['outside']}"
    )


def describe_packed(session: Session, key: bytes) -> Simple:
    facts = facts_of(session, key)
    if not facts["encoding"].startswith("listpack"):
        raise ReplyError("ERR Not a listpack encoded object.")
    return Simple(f"elements:{facts['length']} bytes:{facts['payload']}")


def reload_values(session: Session, *options: bytes) -> object:
    """Have all values written and read back, as if they had been saved and loaded."""
    if any(option.lower() == b"nosave" for option in options):
        refuse_load(session)
    reload(session.engine)
    return OK


def fill(session: Session, count: bytes, prefix: bytes = b"key", size: bytes | None = None) -> object:
    populate(session, positive(count), prefix, None if size is None else positive(size))
    return OK


def positive(word: bytes) -> int:
    value = parse_int(word, NOT_POSITIVE)
    if value < 0:
        raise ReplyError(NOT_POSITIVE)
    return value


def digest_all(session: Session) -> Simple:
    return Simple(digest.shown(digest.data_digest(session.engine, session.engine.keyspace())))


def digest_keys(session: Session, *keys: bytes) -> list[Simple]:
    values = [key_value(session, key) for key in keys]
    return [
        Simple(digest.shown(digest.value_digest(digest.EMPTY, *v) if v else digest.EMPTY)) for v in values
    ]


def match_length(session: Session, pattern: bytes, text: bytes) -> int:
    return int(glob_matches(pattern, text, False))


# ---------------------------------------------------------------- tables and structures


def table_statistics(session: Session, database: bytes, *full: bytes) -> Verbatim:
    index = parse_int(database, "ERR Out of range database")
    if not 0 <= index < session.engine.facts["databases"]:
        raise ReplyError("ERR Out of range database")
    return statistics(table_facts(session.engine, index), "[Expires HT]")


def value_table_statistics(session: Session, key: bytes, *full: bytes) -> Verbatim:
    facts_of(session, key)
    facts = value_table_facts(session, key)
    if facts is None:
        raise ReplyError("ERR The value stored at the specified key is not represented using an hash table")
    return statistics(facts)


def statistics(facts: dict[str, int], heading: str = "") -> Verbatim:
    """heading   of the line about elements that expire"""
    lines = ["[Dictionary HT]"] if heading else []
    lines.append("Hash table 0 stats (main hash table):")
    if facts["keys"]:
        lines += [
            f" table size: {facts['slots']}",
            f" number of elements: {facts['keys']}",
            f" segments: {facts['segments']}",
            f" directory size: {1 << facts['depth']}",
        ]
    else:
        lines.append("No stats available for empty dictionaries")
    if heading:
        lines.append(heading)
    if facts["expiring"]:
        lines.append(f" elements of the table above that expire: {facts['expiring']}")
    return Verbatim("".join(f"{line}\n" for line in lines))


def structure_sizes(session: Session) -> str:
    return "".join(f"{name}:{size} " for name, size in session.engine.structure_sizes().items())


# ---------------------------------------------------------------- replies of every kind

SAMPLES: dict[bytes, object] = {
    b"string": "Hello World",
    b"integer": 12345,
    b"double": 3.141,
    b"bignum": 1234567999999999999999999999999999999,
    b"null": None,
    b"array": [0, 1, 2],
    b"set": SetReply([0, 1, 2]),
    b"map": {0: False, 1: True, 2: False},
    b"attrib": Several(
        [Attributes({"key-popularity": ["key:123", 90]}), "Some real reply following the attribute"]
    ),
    b"push": Several(["Some real reply following the push reply", Push(["server-cpu-usage", 42])]),
    b"verbatim": Verbatim("This is a verbatim\nstring"),
    b"true": True,
    b"false": False,
}


def sample_reply(session: Session, name: bytes) -> object:
    kind = name.lower()
    if kind not in SAMPLES:
        names = "|".join(sample.decode() for sample in SAMPLES)
        raise ReplyError(f"ERR Wrong protocol type name. Please use one of the following: {names}")
    if kind == b"push" and session.protocol == 2:
        raise ReplyError("ERR RESP2 is not supported by this command")
    return SAMPLES[kind]


# ---------------------------------------------------------------- the table


def show_help(session: Session) -> list[Simple]:
    return help_lines(HELP)


SUBCOMMANDS: dict[bytes, tuple[int, int, Handler]] = {  # least and most arguments
    b"assert": (0, 0, refuse_crash),
    b"change-repl-id": (0, 0, change_replication_id),
    b"config-rewrite-force-all": (0, 0, rewrite_all),
    b"dict-resizing": (1, 1, change_nothing),
    b"digest": (0, 0, digest_all),
    b"digest-value": (1, 1 << 20, digest_keys),
    b"error": (1, 1, raise_error),
    b"help": (0, 0, show_help),
    b"htstats": (1, 2, table_statistics),
    b"htstats-key": (1, 2, value_table_statistics),
    b"listpack": (1, 1, describe_packed),
    b"loadaof": (0, 0, refuse_load),
    b"log": (1, 1, write_log),
    b"object": (1, 1, describe_object),
    b"oom": (0, 0, refuse_crash),
    b"panic": (0, 0, refuse_crash),
    b"pause-cron": (1, 1, switch("cron_paused")),
    b"populate": (1, 3, fill),
    b"protocol": (1, 1, sample_reply),
    b"quicklist-packed-threshold": (1, 1, packed_threshold),
    b"reload": (0, 3, reload_values),
    b"replybuffer": (2, 2, reply_buffer),
    b"sdslen": (1, 1, string_lengths),
    b"segfault": (0, 0, refuse_crash),
    b"set-active-expire": (1, 1, switch("active_expire")),
    b"set-disable-deny-scripts": (1, 1, change_nothing),
    b"sleep": (1, 1, sleep),
    b"stringmatch-len": (2, 2, match_length),
    b"structsize": (0, 0, structure_sizes),
}

HELP = """
DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:
CHANGE-REPL-ID
    Draw a new replication ID.
CONFIG-REWRITE-FORCE-ALL
    As CONFIG REWRITE, with all settings, changed or not.
DICT-RESIZING <0|1>
    Accepted for the sake of tests: tables grow by themselves.
DIGEST
    Sum all databases up in 40 digits.
DIGEST-VALUE <key> [<key> ...]
    Sum the values of these keys up in 40 digits each.
ERROR <text>
    Answer with this error.
HTSTATS <database> [full]
    Describe the table of a database.
HTSTATS-KEY <key> [full]
    Describe the table of a key's value.
LISTPACK <key>
    Describe the packed value of a key.
LOG <text>
    Write a line to the log.
OBJECT <key>
    Describe the value of a key.
PAUSE-CRON <0|1>
    Stop the timer's work, or go on with it.
POPULATE <count> [<prefix>] [<size>]
    Add keys <prefix>:0, <prefix>:1, ... (default: key) with values of <size> bytes.
PROTOCOL <type>
    Answer with a sample of a type: string, integer, double, bignum, null, array, set, map, attrib, push,
    verbatim, true, false.
QUICKLIST-PACKED-THRESHOLD <size>
    Accepted for the sake of tests: blocks of a list take elements of any size.
RELOAD [NOFLUSH] [MERGE]
    Write all values as an RDB file holds them, and read them back.
REPLYBUFFER PEAK-RESET-TIME <never|reset|milliseconds>
    Set how long the largest reply of a client is remembered.
REPLYBUFFER RESIZING <0|1>
    Fit the room for replies to their size, or leave it.
SDSLEN <key>
    Tell the lengths of a key and its value.
SET-ACTIVE-EXPIRE <0|1>
    Look for expired keys in the background, or leave that to whoever asks for them.
SLEEP <seconds>
    Stop the whole server for some time.
STRINGMATCH-LEN <pattern> <text>
    Match a glob pattern.
STRUCTSIZE
    Tell the sizes of the engine's structures.
HELP
    Show this text.
"""
