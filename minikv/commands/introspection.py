"""COMMAND: what the command table says about each command."""

from collections.abc import Callable, Iterable, Iterator

from minikv_core.glob import glob_matches
from minikv_core.registry import by_name, key_positions, specs

from minikv.arguments import shown
from minikv.help_text import help_lines
from minikv.registry import (
    LOADING,
    STALE,
    CommandSpec,
    KeyNum,
    KeySpec,
    KeyUnknown,
    KeyWord,
    ReplyError,
    Session,
    SetReply,
    Simple,
    command,
)
from minikv.syntax_line import Argument, parse

FLAGS = LOADING | STALE
ANY_ORDER = ("nondeterministic_output_order",)
CATEGORIES = (  # in the order in which COMMAND INFO lists them
    "keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap", "hyperloglog",
    "geo", "stream", "pubsub", "admin", "fast", "slow", "blocking", "dangerous", "connection", "transaction",
    "scripting",
)  # fmt: skip


# ---------------------------------------------------------------- COMMAND and COMMAND INFO


@command(
    "COMMAND", arity=-1, flags=FLAGS, group="server", categories="connection", since="2.8.13",
    cost="O(N) for N commands", tips=ANY_ORDER, summary="Describe all commands.",
)  # fmt: skip
def command_all(session: Session, *words: bytes) -> list[object]:
    if words:
        raise ReplyError(f"ERR unknown subcommand '{shown(words[0])}'. Try COMMAND HELP.")
    return [describe(spec) for spec in top_level()]


@command(
    "COMMAND INFO", arity=-2, flags=FLAGS, group="server", categories="connection", since="2.8.13",
    cost="O(N) for N names", tips=ANY_ORDER, summary="Describe commands, or all of them.",
    args="[command-name ...]", history=(("7.0.0", "No name means all commands."),),
)  # fmt: skip
def command_info(session: Session, *names: bytes) -> list[object]:
    if not names:
        return [describe(spec) for spec in top_level()]
    return [describe(spec) if spec else None for spec in map(named, names)]


@command(
    "COMMAND COUNT", arity=2, flags=FLAGS, group="server", categories="connection", since="2.8.13",
    cost="O(1)", summary="Count the commands, without subcommands.",
)  # fmt: skip
def command_count(session: Session) -> int:
    return sum(1 for _ in top_level())


def top_level() -> Iterator[CommandSpec]:
    return (spec for spec in specs if spec.parent is None)


def named(name: bytes) -> CommandSpec | None:
    """The command called "name" or "container|name"."""
    return by_name.get(name.decode("latin-1").lower())


def describe(spec: CommandSpec) -> list[object]:
    """An entry of COMMAND INFO."""
    return [
        spec.name,
        spec.arity,
        simple_set(spec.flag_names),
        *spec.key_range,
        simple_set(f"@{name}" for name in CATEGORIES if name in spec.categories),
        SetReply(spec.tips),
        SetReply(map(describe_keys, spec.keys)),
        [describe(child) for child in spec.subcommands.values()] or SetReply(),
    ]


def simple_set(words: Iterable[str]) -> SetReply:
    return SetReply(map(Simple, words))


def describe_keys(key: KeySpec | KeyNum | KeyWord | KeyUnknown) -> dict[str, object]:
    """A key specification: where the search begins, and how keys are found from there."""
    find: dict[str, object]
    if isinstance(key, KeyUnknown):
        unknown: dict[str, object] = {"type": "unknown", "spec": {}}
        return {
            "notes": key.notes,
            "flags": simple_set(key.flags.split()),
            "begin_search": unknown,
            "find_keys": unknown,
        }
    if isinstance(key, KeyWord):
        return {
            "flags": simple_set(key.flags.split()),
            "begin_search": {"type": "keyword", "spec": {"keyword": key.word, "startfrom": key.start}},
            "find_keys": {
                "type": "range",
                "spec": {"lastkey": key.last, "keystep": key.step, "limit": key.limit},
            },
        }
    if isinstance(key, KeySpec):
        begin = key.first
        last = key.last - key.first if key.last >= 0 else key.last
        find = {"type": "range", "spec": {"lastkey": last, "keystep": key.step, "limit": 0}}
    else:
        begin = key.count
        find = {
            "type": "keynum",
            "spec": {"keynumidx": 0, "firstkey": key.first - key.count, "keystep": key.step},
        }
    return {
        "flags": simple_set(key.flags.split()),
        "begin_search": {"type": "index", "spec": {"index": begin}},
        "find_keys": find,
    }


# ---------------------------------------------------------------- COMMAND LIST


@command(
    "COMMAND LIST", arity=-2, flags=FLAGS, group="server", categories="connection", since="7.0.0",
    cost="O(N) for N commands", tips=ANY_ORDER,
    summary="List the names of all commands and subcommands, or of some.",
    args="[FILTERBY <MODULE module-name|ACLCAT category|PATTERN pattern>]",
)  # fmt: skip
def command_list(session: Session, *words: bytes) -> list[str]:
    if not words:
        return [spec.name for spec in specs]
    if len(words) != 3 or words[0].lower() != b"filterby":
        raise ReplyError("ERR syntax error")
    kind, wanted = words[1].lower(), words[2]
    if kind == b"module":
        return []
    if kind == b"aclcat":
        category = wanted.decode("latin-1").lower()
        return [spec.name for spec in specs if category in spec.categories]
    if kind == b"pattern":
        return [spec.name for spec in specs if glob_matches(wanted, spec.name.encode(), True)]
    raise ReplyError("ERR syntax error")


# ---------------------------------------------------------------- COMMAND DOCS


@command(
    "COMMAND DOCS", arity=-2, flags=FLAGS, group="server", categories="connection", since="7.0.0",
    cost="O(N) for N names", tips=ANY_ORDER, summary="Document commands, or all of them.",
    args="[command-name ...]",
)  # fmt: skip
def command_docs(session: Session, *names: bytes) -> dict[str, object]:
    found = map(named, names) if names else top_level()
    return {spec.name: document(spec) for spec in found if spec}


def document(spec: CommandSpec) -> dict[str, object]:
    """An entry of COMMAND DOCS."""
    entry: dict[str, object] = {"summary": spec.summary, "since": spec.since, "group": spec.group}
    if spec.cost:
        entry["complexity"] = spec.cost
    if spec.deprecated_since:
        entry["doc_flags"] = simple_set(["deprecated"])
        entry["deprecated_since"] = spec.deprecated_since
        entry["replaced_by"] = spec.replaced_by
    if spec.history:
        entry["history"] = SetReply(list(change) for change in spec.history)
    if spec.args:
        entry["arguments"] = [document_argument(argument) for argument in parse(spec.args, len(spec.keys))]
    if spec.subcommands:
        entry["subcommands"] = {child.name: document(child) for child in spec.subcommands.values()}
    return entry


def document_argument(argument: Argument) -> dict[str, object]:
    entry: dict[str, object] = {"name": argument.name, "type": argument.type}
    if not argument.arguments:
        entry["display_text"] = argument.name
    if argument.key_spec is not None:
        entry["key_spec_index"] = argument.key_spec
    if argument.token is not None:
        entry["token"] = argument.token
    if argument.flags:
        entry["flags"] = simple_set(argument.flags)
    if argument.arguments:
        entry["arguments"] = [document_argument(inner) for inner in argument.arguments]
    return entry


# ---------------------------------------------------------------- COMMAND GETKEYS


@command(
    "COMMAND GETKEYS", arity=-3, flags=FLAGS, group="server", categories="connection", since="2.8.13",
    cost="O(N) for N arguments", summary="Pick the keys out of a request.", args="command [arg ...]",
)  # fmt: skip
def command_getkeys(session: Session, *request: bytes) -> list[bytes]:
    return [request[i] for i, _ in find_keys(request)]


@command(
    "COMMAND GETKEYSANDFLAGS", arity=-3, flags=FLAGS, group="server", categories="connection", since="7.0.0",
    cost="O(N) for N arguments", summary="Pick the keys out of a request, with what is done to them.",
    args="command [arg ...]",
)  # fmt: skip
def command_getkeysandflags(session: Session, *request: bytes) -> list[object]:
    return [[request[i], simple_set(flags.split())] for i, flags in find_keys(request)]


def find_keys(request: tuple[bytes, ...]) -> list[tuple[int, str]]:
    """Positions of the keys in a request, each with the flags of what is done to it."""
    spec = named(request[0])
    if spec and spec.subcommands and len(request) > 1:
        spec = spec.subcommands.get(request[1].decode("latin-1").lower())
    if spec is None or b"|" in request[0]:
        raise ReplyError("ERR Invalid command specified")
    if all("not_key" in key.flags.split() for key in spec.keys):
        raise ReplyError("ERR The command has no key arguments")
    if not (len(request) == spec.arity or len(request) >= -spec.arity > 0):
        raise ReplyError("ERR Invalid number of arguments specified for command")
    found = key_positions(spec, list(request))
    if found is None:
        raise ReplyError("ERR Invalid arguments specified for command")
    if spec.name in VARIABLE_FLAGS:
        flags = VARIABLE_FLAGS[spec.name](request)
        return [(i, flags) for i, _ in found]
    return found


def flags_of_set(request: tuple[bytes, ...]) -> str:
    reads = any(word.lower() == b"get" for word in request[3:])
    return "RW access update" if reads else "OW update"


# What is done to the key depends on the arguments.
VARIABLE_FLAGS: dict[str, Callable[[tuple[bytes, ...]], str]] = {"set": flags_of_set}


@command(
    "COMMAND HELP", arity=2, flags=FLAGS, group="server", categories="connection", since="5.0.0",
    cost="O(1)", summary="Explain the subcommands.",
)  # fmt: skip
def command_help(session: Session) -> list[Simple]:
    return help_lines(HELP)


HELP = """
COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:
(no subcommand)
    Describe all commands.
COUNT
    Count the commands.
DOCS [<command-name> ...]
    Document commands, or all of them.
GETKEYS <full-command>
    Pick the keys out of a request.
GETKEYSANDFLAGS <full-command>
    Pick the keys out of a request, with what is done to them.
INFO [<command-name> ...]
    Describe commands, or all of them.
LIST [FILTERBY (MODULE <module-name> | ACLCAT <category> | PATTERN <pattern>)]
    List the names of all commands and subcommands, or of some.
HELP
    Show this text.
"""
