"""MEMORY: what takes up memory."""

from minikv_core.inspection import key_facts

from minikv.arguments import parse_int
from minikv.help_text import help_lines
from minikv.memory import MemoryFigures
from minikv.registry import (
    LOADING,
    OK,
    READONLY,
    STALE,
    KeySpec,
    ReplyError,
    Session,
    Simple,
    Verbatim,
    command,
    define,
)

SYNTAX_ERROR = "ERR syntax error"
OF_ALL_SHARDS = ("nondeterministic_output", "request_policy:all_shards", "response_policy:special")
LITTLE = 5 << 20  # bytes below which ratios say nothing

define(
    "MEMORY", None, arity=-2, flags=0, group="server", since="4.0.0", cost="that of the subcommand",
    summary="Find out what takes up memory.",
)  # fmt: skip


@command(
    "MEMORY USAGE", arity=-3, flags=READONLY, keys=KeySpec(2, 2, 1, "RO"), group="server", since="4.0.0",
    cost="O(N) for N samples", summary="Tell how many bytes a key and its value take.",
    args="key [SAMPLES count]",
)  # fmt: skip
def memory_usage(session: Session, key: bytes, *words: bytes) -> int | None:
    # the figure is exact: SAMPLES is only checked
    for at in range(0, len(words), 2):
        if words[at].lower() != b"samples" or at + 1 == len(words):
            raise ReplyError(SYNTAX_ERROR)
        if parse_int(words[at + 1]) < 0:
            raise ReplyError(SYNTAX_ERROR)
    facts = key_facts(session, key)
    return facts["entry"] + facts["outside"] + facts["table"] if facts else None


@command(
    "MEMORY STATS", arity=2, group="server", since="4.0.0", cost="O(1)", tips=OF_ALL_SHARDS,
    summary="Show what memory is used for.",
)  # fmt: skip
def memory_stats(session: Session) -> dict[str, object]:
    figures = MemoryFigures(session.engine)
    keyspace = session.engine.keyspace()
    return {
        "peak.allocated": figures.peak,
        "total.allocated": figures.used,
        "startup.allocated": figures.startup,
        "replication.backlog": 0,
        "replica.fullsync.buffer": 0,
        "clients.slaves": 0,
        "clients.normal": figures.clients,
        "cluster.links": 0,
        "aof.buffer": 0,
        "lua.caches": 0,
        "functions.caches": 0,
        "script.VMs": 0,
        **{
            f"db.{index}": {"overhead.hashtable.main": table, "overhead.hashtable.expires": 0}
            for index, (_, _, table, _) in keyspace.items()
        },
        "overhead.db.hashtable.lut": figures.tables,
        "overhead.db.hashtable.rehashing": 0,
        "overhead.total": figures.overhead,
        "db.dict.rehashing.count": 0,
        "keys.count": figures.keys,
        "keys.bytes-per-key": figures.bytes_per_key,
        "dataset.bytes": figures.dataset,
        "dataset.percentage": figures.dataset_percent,
        "peak.percentage": figures.peak_percent,
        "allocator.allocated": figures.allocated,
        "allocator.active": figures.active,
        "allocator.resident": figures.resident,
        "allocator.muzzy": 0,
        "allocator-fragmentation.ratio": figures.active / figures.allocated,
        "allocator-fragmentation.bytes": figures.active - figures.allocated,
        "allocator-rss.ratio": figures.resident / figures.active,
        "allocator-rss.bytes": figures.resident - figures.active,
        "rss-overhead.ratio": figures.rss / figures.resident,
        "rss-overhead.bytes": figures.rss - figures.resident,
        "fragmentation": figures.rss / figures.used,
        "fragmentation.bytes": figures.rss - figures.used,
    }


@command(
    "MEMORY DOCTOR", arity=2, group="server", since="4.0.0", cost="O(1)", tips=OF_ALL_SHARDS,
    summary="Report what is wrong with the memory.",
)  # fmt: skip
def memory_doctor(session: Session) -> Verbatim:
    figures = MemoryFigures(session.engine)
    if figures.used < LITTLE:
        return Verbatim("The store is empty or nearly so: there is too little to judge.\n")
    found = []
    if figures.peak > figures.used * 3 // 2:
        found.append(
            f"Peak: {figures.peak} bytes were in use once, {figures.used} are now. Empty pages go back to "
            "the system in the background; MEMORY PURGE gives them back at once."
        )
    if figures.resident > figures.active * 11 // 10 and figures.resident - figures.active > LITTLE:
        found.append(
            f"Empty pages: {figures.resident - figures.active} bytes are held without use. "
            "MEMORY PURGE helps."
        )
    if figures.active > figures.allocated * 5 // 4:
        found.append(
            f"Fragmentation: {figures.active - figures.allocated} bytes lie free between values. They are "
            "compacted in the background."
        )
    clients = session.engine.facts["sessions"]
    if clients and figures.clients // clients > 200 << 10:
        found.append(
            f"Clients: their buffers take {figures.clients // clients} bytes each. CLIENT LIST (qbuf, omem, "
            "multi-mem) shows whose."
        )
    if not found:
        return Verbatim("Nothing is wrong with the memory.\n")
    return Verbatim("".join(f"- {line}\n" for line in found))


@command(
    "MEMORY PURGE", arity=2, group="server", since="4.0.0", cost="O(N) for N empty pages",
    tips=("request_policy:all_shards", "response_policy:all_succeeded"),
    summary="Give unused memory back to the system.",
)  # fmt: skip
def memory_purge(session: Session) -> object:
    session.engine.purge()
    return OK


@command(
    "MEMORY MALLOC-STATS", arity=2, group="server", since="4.0.0", cost="O(1)", tips=OF_ALL_SHARDS,
    summary="Show the arena's own figures.",
)  # fmt: skip
def memory_malloc_stats(session: Session) -> Verbatim:
    figures = session.engine.memory()
    return Verbatim(
        "".join(f"{name}: {value}\n" for name, value in figures.items() if name.startswith("arena"))
    )


@command(
    "MEMORY HELP", arity=2, flags=LOADING | STALE, group="server", since="4.0.0", cost="O(1)",
    summary="Explain the subcommands.",
)  # fmt: skip
def memory_help(session: Session) -> list[Simple]:
    return help_lines(HELP)


HELP = """
MEMORY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:
DOCTOR
    Report what is wrong with the memory.
MALLOC-STATS
    Show the arena's own figures.
PURGE
    Give unused memory back to the system.
STATS
    Show what memory is used for.
USAGE <key> [SAMPLES <count>]
    Tell how many bytes <key> and its value take. The figure is exact, however many SAMPLES.
HELP
    Show this text.
"""
