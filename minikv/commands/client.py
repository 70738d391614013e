"""CLIENT: who is connected, and what may be done about it."""

from collections.abc import Callable, Collection, Iterable

from minikv_core import pycommand
from minikv_core.commandflags import (
    CLOSE_AFTER,
    CLOSE_NOW,
    IS_INTERNAL,
    IS_MONITOR,
    IS_NO_EVICT,
    IS_NO_TOUCH,
    IS_PUBSUB,
    IS_UNIX,
    QUEUEING,
    REPLY_OFF,
    REPLY_SKIP,
    REPLY_SKIP_NEXT,
    TRACK_BCAST,
    TRACK_BROKEN,
    WAITING,
    WANTS_WRITE,
)

from minikv.arguments import parse_int, shown
from minikv.everywhere import any_success, everywhere, first, joined
from minikv.help_text import help_lines
from minikv.registry import (
    ADMIN,
    LOADING,
    NO_REPLY,
    NOSCRIPT,
    OK,
    STALE,
    ReplyError,
    Session,
    Simple,
    Verbatim,
    command,
    define,
)

FLAGS = NOSCRIPT | LOADING | STALE
TO_ALL_NODES = ("request_policy:all_nodes", "response_policy:all_succeeded")
SYNTAX_ERROR = "ERR syntax error"
TYPES = {  # as clients write them, and what they are called here
    b"normal": "normal",
    b"pubsub": "pubsub",
    b"master": "master",
    b"replica": "replica",
    b"slave": "replica",
}

define(
    "CLIENT", None, arity=-2, flags=0, group="connection", since="2.4.0", cost="that of the subcommand",
    summary="Show and manage connections.",
)  # fmt: skip


# ---------------------------------------------------------------- the session itself


@command(
    "CLIENT ID", arity=2, flags=FLAGS, group="connection", since="5.0.0", cost="O(1)",
    summary="Tell the session's number, which no other session will ever have.",
)  # fmt: skip
def client_id(session: Session) -> int:
    return session.id


@command(
    "CLIENT GETNAME", arity=2, flags=FLAGS, group="connection", since="2.6.9", cost="O(1)",
    summary="Tell the session's name.",
)  # fmt: skip
def client_getname(session: Session) -> bytes | None:
    return session.name


@command(
    "CLIENT SETNAME", arity=3, flags=FLAGS, group="connection", since="2.6.9", cost="O(1)", tips=TO_ALL_NODES,
    summary="Name the session; an empty name takes it away.", args="connection-name",
)  # fmt: skip
def client_setname(session: Session, name: bytes) -> object:
    session.name = checked(name, "Client names")
    return OK


@command(
    "CLIENT SETINFO", arity=4, flags=FLAGS, group="connection", since="7.2.0", cost="O(1)", tips=TO_ALL_NODES,
    summary="Tell the server the client library's name or version.", args="<LIB-NAME libname|LIB-VER libver>",
)  # fmt: skip
def client_setinfo(session: Session, option: bytes, value: bytes) -> object:
    if option.lower() == b"lib-name":
        session.lib_name = checked(value, "lib-name")
    elif option.lower() == b"lib-ver":
        session.lib_version = checked(value, "lib-ver")
    else:
        raise ReplyError(f"ERR Unrecognized option '{shown(option)}'")
    return OK


def checked(text: bytes, what: str) -> bytes:
    """The text, if it can stand in a line of CLIENT LIST."""
    if not all(33 <= byte <= 126 for byte in text):
        raise ReplyError(f"ERR {what} cannot contain spaces, newlines or special characters.")
    return text


@command(
    "CLIENT REPLY", arity=3, flags=FLAGS, group="connection", since="3.2.0", cost="O(1)",
    summary="Choose whether replies are sent, or leave the next one out.", args="<ON|OFF|SKIP>",
)  # fmt: skip
def client_reply(session: Session, mode: bytes) -> object:
    word = mode.lower()
    if session.flags & IS_INTERNAL:
        raise ReplyError("ERR CLIENT REPLY is for connections; here every command has its reply")
    if word == b"on":
        session.gate &= ~(REPLY_OFF | REPLY_SKIP)
        return OK
    if word == b"off":
        session.gate |= REPLY_OFF
    elif word != b"skip":
        raise ReplyError(SYNTAX_ERROR)
    elif not session.gate & REPLY_OFF:
        session.gate |= REPLY_SKIP_NEXT
    return NO_REPLY


@command(
    "CLIENT NO-EVICT", arity=3, flags=FLAGS | ADMIN, group="connection", since="7.0.0", cost="O(1)",
    summary="Keep the session when maxmemory-clients asks for others to be closed.", args="<ON|OFF>",
)  # fmt: skip
def client_no_evict(session: Session, mode: bytes) -> object:
    return switch(session, IS_NO_EVICT, mode)


@command(
    "CLIENT NO-TOUCH", arity=3, flags=FLAGS, group="connection", since="7.2.0", cost="O(1)",
    summary="Let the session's reads leave no trace in the keys' LRU and LFU data.", args="<ON|OFF>",
)  # fmt: skip
def client_no_touch(session: Session, mode: bytes) -> object:
    return switch(session, IS_NO_TOUCH, mode)


def switch(session: Session, flag: int, mode: bytes) -> object:
    """Set or clear a session's flag by ON or OFF."""
    word = mode.lower()
    if word == b"on":
        session.flags |= flag
    elif word == b"off":
        session.flags &= ~flag
    else:
        raise ReplyError(SYNTAX_ERROR)
    return OK


# ---------------------------------------------------------------- lists


@command(
    "CLIENT INFO", arity=2, flags=FLAGS, group="connection", since="6.2.0", cost="O(1)",
    tips=("nondeterministic_output",), summary="Describe the session as in CLIENT LIST.",
)  # fmt: skip
def client_info(session: Session) -> Verbatim:
    return Verbatim(describe(session))


@command(
    "CLIENT LIST", arity=-2, flags=FLAGS | ADMIN, group="connection", since="2.4.0",
    cost="O(N) for N sessions", tips=("nondeterministic_output",),
    summary="Describe all sessions, or some.",
    args="[TYPE <NORMAL|MASTER|REPLICA|PUBSUB>] [ID client-id [client-id ...]]",
    history=(
        ("2.8.12", "Field id."),
        ("5.0.0", "Filter TYPE."),
        ("6.0.0", "Field user."),
        ("6.2.0", "Fields argv-mem, tot-mem, laddr and redir, filter ID."),
        ("7.0.0", "Fields resp, multi-mem, rbs and rbp."),
        ("7.0.3", "Field ssub."),
        ("7.2.0", "Fields lib-name and lib-ver."),
        ("7.4.0", "Field watch."),
        ("8.0.0", "Field io-thread."),
    ),
)  # fmt: skip
@everywhere(b"CLIENT LIST", joined)
def client_list(session: Session, *words: bytes) -> Verbatim:
    clients: Iterable[Session] = pycommand.sessions(session.engine)
    option = words[0].lower() if words else b""
    if option == b"type" and len(words) == 2:
        wanted = known_type(words[1])
        clients = [client for client in clients if type_of(client) == wanted]
    elif option == b"id" and len(words) > 1:
        by_id = {client.id: client for client in clients}
        ids = [parse_int(word, "ERR Invalid client ID") for word in words[1:]]
        clients = [by_id[id] for id in ids if id in by_id]
    elif words:
        raise ReplyError(SYNTAX_ERROR)
    return Verbatim("".join(map(describe, clients)))


def known_type(word: bytes) -> str:
    if word.lower() not in TYPES:
        raise ReplyError(f"ERR Unknown client type '{shown(word)}'")
    return TYPES[word.lower()]


def type_of(client: Session) -> str:
    return "pubsub" if client.flags & IS_PUBSUB else "normal"


def describe(client: Session) -> str:
    """A line of CLIENT LIST."""
    n = client.figures
    now = client.engine.facts["now_ms"]
    redirect = client.tracking[1] if client.tracking else -1
    return (
        f"id={client.id} addr={text(client.address)} laddr={text(client.local_address)} fd={client.fd}"
        f" name={text(client.name)} age={(now - n['created_ms']) // 1000}"
        f" idle={(now - n['active_ms']) // 1000} flags={letters(client, bool(n['watch_failed']))}"
        f" db={client.database} sub={n['channels']} psub={n['patterns']} ssub={n['shard_channels']}"
        f" multi={n['queued_commands']} watch={0 if n['watch_failed'] else n['watched']}"
        f" qbuf={n['input']} qbuf-free={max(0, n['input_room'] - n['input'])} argv-mem={n['args']}"
        f" multi-mem={n['queued']} rbs={n['reply_room']} rbp={n['reply_peak']} obl={n['out_buffer']}"
        f" oll={n['out_nodes']} omem={n['out_bytes']} tot-mem={n['memory']}"
        f" events={'rw' if client.flags & WANTS_WRITE else 'r'}"
        f" cmd={client.last_command or 'NULL'} user=default redir={redirect} resp={client.protocol}"
        f" lib-name={text(client.lib_name)} lib-ver={text(client.lib_version)} io-thread=0"
        f" tot-net-in={n['net_input']} tot-net-out={n['net_output']} tot-cmds={n['commands']}\n"
    )


def text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "surrogateescape")


def letters(client: Session, watch_failed: bool) -> str:
    """The field `flags`."""
    gate, flags = client.gate, client.flags
    tracking = client.tracking[0] if client.tracking else 0
    states = {
        "O": flags & IS_MONITOR,
        "P": flags & IS_PUBSUB,
        "x": gate & QUEUEING,
        "b": gate & WAITING,
        "t": client.tracking,
        "R": tracking & TRACK_BROKEN,
        "B": tracking & TRACK_BCAST,
        "d": watch_failed,
        "c": gate & CLOSE_AFTER,
        "A": gate & CLOSE_NOW,
        "U": flags & IS_UNIX,
        "e": flags & IS_NO_EVICT,
        "T": flags & IS_NO_TOUCH,
    }
    return "".join(letter for letter, state in states.items() if state) or "N"


# ---------------------------------------------------------------- acting on others


@command(
    "CLIENT KILL", arity=-3, flags=FLAGS | ADMIN, group="connection", since="2.4.0",
    cost="O(N) for N sessions", summary="Close connections.",
    args="<ip:port|<[ID client-id]|[TYPE <NORMAL|MASTER|SLAVE|REPLICA|PUBSUB>]|[USER username]|"
    "[ADDR ip:port]|[LADDR ip:port]|[SKIPME <YES|NO>]|[MAXAGE maxage]> ...>",
    history=(
        ("2.8.12", "Filters, among them ID."),
        ("3.2.0", "Type master."),
        ("5.0.0", "Type replica, of which slave is the old name."),
        ("6.2.0", "Filter LADDR."),
        ("7.4.0", "Filter MAXAGE."),
    ),
)  # fmt: skip
@everywhere(b"CLIENT KILL", any_success)
def client_kill(session: Session, *words: bytes) -> object:
    if len(words) == 1:
        if not kill(session, [lambda client: client.address == words[0]]):
            raise ReplyError("ERR No such client")
        return OK
    if len(words) % 2:
        raise ReplyError(SYNTAX_ERROR)
    filters = {}  # of an option that is given twice the last counts
    skip_me = True
    for option, value in zip(words[::2], words[1::2], strict=True):
        if option.lower() == b"skipme":
            if value.lower() not in (b"yes", b"no"):
                raise ReplyError(SYNTAX_ERROR)
            skip_me = value.lower() == b"yes"
        else:
            filters[option.lower()] = kill_filter(option.lower(), value)
    if skip_me:
        filters[b"skipme"] = lambda client: client != session
    return kill(session, filters.values())


Filter = Callable[[Session], bool]


def kill_filter(option: bytes, value: bytes) -> Filter:
    """What a filter of CLIENT KILL wants a session to be."""
    if option == b"id":
        id = parse_positive(value, "client-id", "ERR client-id should be greater than 0")
        return lambda client: client.id == id
    if option == b"type":
        kind = known_type(value)
        return lambda client: type_of(client) == kind
    if option == b"addr":
        return lambda client: client.address == value
    if option == b"laddr":
        return lambda client: client.local_address == value
    if option == b"user":
        if value != b"default":
            raise ReplyError(f"ERR No such user '{shown(value)}'")
        return lambda client: True
    if option == b"maxage":
        age = parse_positive(value, "maxage", "ERR maxage is not an integer or out of range")
        return lambda client: age_of(client) >= age
    raise ReplyError(SYNTAX_ERROR)


def age_of(client: Session) -> int:
    """Seconds since the client connected, by whole seconds of the clock."""
    now: int = client.engine.facts["now_ms"]
    return now // 1000 - client.figures["created_ms"] // 1000


def parse_positive(word: bytes, name: str, not_integer: str) -> int:
    value = parse_int(word, not_integer)
    if value <= 0:
        raise ReplyError(f"ERR {name} should be greater than 0")
    return value


def kill(session: Session, filters: Collection[Filter]) -> int:
    """Close all sessions that pass every filter; the calling one gets its reply first."""
    killed = 0
    for client in pycommand.sessions(session.engine):
        if all(passes(client) for passes in filters):
            client.close(after_output=client == session)
            killed += 1
    return killed


@command(
    "CLIENT PAUSE", arity=-3, flags=FLAGS | ADMIN, group="connection", since="3.0.0", cost="O(1)",
    summary="Hold all commands back, or those that write, for some time.", args="timeout [WRITE|ALL]",
    history=(("6.2.0", "Mode WRITE."),),
)  # fmt: skip
@everywhere(b"CLIENT PAUSE", first)
def client_pause(session: Session, timeout: bytes, *words: bytes) -> object:
    if len(words) > 1:
        raise ReplyError(wrong_usage("PAUSE"))
    mode = words[0].lower() if words else b"all"
    if mode not in (b"write", b"all"):
        raise ReplyError("ERR CLIENT PAUSE mode must be WRITE or ALL")
    milliseconds = parse_int(timeout, "ERR timeout is not an integer or out of range")
    if milliseconds < 0:
        raise ReplyError("ERR timeout is negative")
    until = session.engine.facts["now_ms"] + milliseconds
    if until >= 1 << 63:
        raise ReplyError("ERR timeout is out of range")
    pycommand.pause(session.engine, until, mode == b"all")
    return OK


@command(
    "CLIENT UNPAUSE", arity=2, flags=FLAGS | ADMIN, group="connection", since="6.2.0",
    cost="O(N) for N sessions held back", summary="End CLIENT PAUSE.",
)  # fmt: skip
@everywhere(b"CLIENT UNPAUSE", first)
def client_unpause(session: Session) -> object:
    pycommand.pause(session.engine, 0, False)
    return OK


@command(
    "CLIENT UNBLOCK", arity=-3, flags=FLAGS | ADMIN, group="connection", since="5.0.0",
    cost="O(N) for N sessions", args="client-id [TIMEOUT|ERROR]",
    summary="End a session's blocking command, as by its timeout or with an error.",
)  # fmt: skip
@everywhere(b"CLIENT UNBLOCK", any_success)
def client_unblock(session: Session, word: bytes, *words: bytes) -> int:
    if len(words) > 1:
        raise ReplyError(wrong_usage("UNBLOCK"))
    reason = words[0].lower() if words else b"timeout"
    if reason not in (b"timeout", b"error"):
        raise ReplyError("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
    wanted = parse_int(word)
    return sum(
        client.unblock(error=reason == b"error")
        for client in pycommand.sessions(session.engine)
        if client.id == wanted
    )


def wrong_usage(subcommand: str) -> str:
    return f"ERR unknown subcommand or wrong number of arguments for '{subcommand}'. Try CLIENT HELP."


@command(
    "CLIENT HELP", arity=2, flags=LOADING | STALE, group="connection", since="5.0.0", cost="O(1)",
    summary="Explain the subcommands.",
)  # fmt: skip
def client_help(session: Session) -> list[Simple]:
    return help_lines(HELP)


HELP = """
CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:
CACHING (YES|NO)
    Track what the next command reads, or do not: with OPTIN, OPTOUT.
GETNAME
    Tell this session's name.
GETREDIR
    Tell which session gets this one's invalidation messages.
ID
    Tell this session's number.
INFO
    Describe this session.
KILL <ip:port>
    Close the connection from that address.
KILL <option> <value> [<option> <value> ...]
    Close the connections that fit all options:
    * ADDR <ip:port>, or <path>:0 of a Unix socket: the client's end
    * LADDR <ip:port>, or <path>:0 of a Unix socket: the server's end
    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)
    * USER <username>
    * ID <client-id>
    * MAXAGE <seconds>: as old or older
    * SKIPME (YES|NO): whether this session is spared (default: yes)
LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB) | ID <client-id> [<client-id> ...]]
    Describe all sessions, or those of a type, or those named.
NO-EVICT (ON|OFF)
    Keep this session when client memory runs out.
NO-TOUCH (ON|OFF)
    Leave LRU and LFU data alone when this session reads.
PAUSE <milliseconds> [WRITE|ALL]
    Hold back all commands, or those that write.
REPLY (ON|OFF|SKIP)
    Choose whether this session gets replies.
SETINFO (LIB-NAME <name> | LIB-VER <version>)
    Tell about the client library.
SETNAME <name>
    Name this session.
TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]] [OPTIN] [OPTOUT] [NOLOOP]
    Tell this session, or another, when keys change:
    * that it has read; with OPTIN after CACHING YES, with OPTOUT but after CACHING NO
    * BCAST: that begin with one of the prefixes, or all
    * NOLOOP: unless it has changed them itself
TRACKINGINFO
    Describe how this session tracks.
UNBLOCK <client-id> [TIMEOUT|ERROR]
    End the blocking command of a session.
UNPAUSE
    End a pause.
HELP
    Show this text.
"""
