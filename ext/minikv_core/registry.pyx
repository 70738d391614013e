"""The command table: what `define` and `minikv.command` add to, and how a name finds its row.

Rows are made when modules are imported and may be added while servers run. A look-up is one
multiplication and one comparison: a perfect hash over the names, rebuilt (and checked for
collisions) at every addition and then swapped in as a whole, so that engine threads, which hold no
lock, always see a complete one. Rows and old look-ups are never freed: a program has few of them.
"""

from cpython.ref cimport Py_INCREF
from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset
from minikv_core.engine cimport (
    ADMIN, BLOCKING, FAST, PUBSUB, READONLY, WRITE, MOVABLE_KEYS,
    Command, CommandFn,
)
from minikv_core.types cimport Slice

import threading
from dataclasses import dataclass, field

FLAG_NAMES = {      # CommandFlag bit -> name in COMMAND INFO
    0: "write", 1: "readonly", 2: "denyoom", 3: "admin", 4: "pubsub", 5: "noscript", 6: "blocking", 7: "loading",
    8: "stale", 9: "skip_monitor", 10: "skip_slowlog", 11: "fast", 12: "no_auth",
    14: "no_async_loading", 15: "no_multi", 16: "allow_busy", 17: "movablekeys", 18: "touches-arbitrary-keys",
}
GROUP_CATEGORY = {  # command group -> ACL category that all its commands are in
    "string": "string", "list": "list", "hash": "hash", "set": "set", "sorted-set": "sortedset", "stream": "stream",
    "bitmap": "bitmap", "hyperloglog": "hyperloglog", "geo": "geo", "scripting": "scripting",
    "transactions": "transaction", "connection": "connection", "generic": "keyspace",
}


@dataclass(frozen=True)
class KeySpec:
    """Keys at argv[first], argv[first + step], ... up to argv[last] (negative: counted from the end)."""

    first: int
    last: int
    step: int = 1
    flags: str = "RO access"


@dataclass(frozen=True)
class KeyNum:
    """argv[count] holds the number of keys, which lie at argv[first], argv[first + step], ..."""

    count: int
    first: int
    flags: str = "RO access"
    step: int = 1


@dataclass(frozen=True)
class KeyWord:
    """Keys behind a word, which is looked for from argv[start] on (negative: backwards from the end).

    last     of the keys, counted from the first; negative: from the end
    limit    0, or the part of what follows that are keys: 2 = the first half
    """

    word: str
    start: int
    last: int = 0
    step: int = 1
    limit: int = 0
    flags: str = "RO access"


@dataclass(frozen=True)
class KeyUnknown:
    """Keys that no other specification can tell of.

    word     behind whose last occurrence there is one; empty = COMMAND GETKEYS finds none
    """

    notes: str
    word: str = ""
    flags: str = "RO access"


@dataclass
class CommandSpec:
    """One row, as COMMAND, COMMAND DOCS, the ACL categories and the documentation read it."""

    name: str                       # lower case; a subcommand is "container|word"
    arity: int
    flags: int
    keys: tuple = ()
    group: str = "generic"
    since: str = "1.0.0"
    cost: str = ""                  # complexity
    summary: str = ""
    args: str = ""                  # syntax line
    categories: frozenset = frozenset()
    tips: tuple = ()
    history: tuple = ()
    deprecated_since: str = ""      # version; empty = it is not deprecated
    replaced_by: str = ""           # what to use instead
    id: int = 0
    function: object = None         # of a command written in Python
    parent: "CommandSpec | None" = None
    subcommands: dict = field(default_factory=dict)     # word -> CommandSpec

    @property
    def flag_names(self) -> list:
        return [name for bit, name in FLAG_NAMES.items() if self.flags >> bit & 1]

    @property
    def key_range(self) -> tuple:
        """(first, last, step) as in COMMAND INFO: the first range and those that follow it at once; or zeros."""
        ranges = [spec for spec in self.keys if isinstance(spec, KeySpec)]
        if not ranges:
            return 0, 0, 0
        last = ranges[0].last
        for spec in ranges[1:]:
            if spec.first == last + 1 and spec.step == ranges[0].step:
                last = spec.last
        return ranges[0].first, last, ranges[0].step


specs: list = []                    # CommandSpec by id
by_name: dict = {}                  # lower-case full name -> CommandSpec
_adding = threading.Lock()

cdef Lookup* table_in_use = NULL
cdef Command* commands[MAX_COMMANDS]        # by id
cdef uint32_t commands_used = 0
cdef uint64_t FOLD = <uint64_t>0xDFDFDFDFDFDFDFDF      # clears the bit in which a letter's cases differ

# The odd multipliers that are tried in turn come from this sequence.
cdef uint64_t next_multiplier(uint64_t m) noexcept nogil:
    return (m * <uint64_t>6364136223846793005 + <uint64_t>1442695040888963407) | 1


def define(name, function, *, int arity, flags, keys=(), str group="generic", str since="1.0.0", str cost="",
           str summary="", str args="", str categories="", tuple tips=(), tuple history=(), str deprecated_since="",
           str replaced_by=""):
    """Add a command, or replace the one of the same name.

    name         "GET", or "CONFIG GET" for a subcommand
    function     fn(cmd_x), or a Python callable (see minikv.command)
    arity        arguments with the name(s); -n = n at least
    categories   ACL categories beside those that follow from flags and group, separated by spaces; "-name" =
                 without that one
    errors       ValueError for a name that is empty or has more than two words, and past MAX_COMMANDS
    """
    words = name.lower().split()
    if not 1 <= len(words) <= 2 or not all(word.isprintable() and word.isascii() for word in words):
        raise ValueError(f"not a command name: {name!r}")
    if not isinstance(keys, tuple):
        keys = (keys,)
    with _adding:
        parent = None
        if len(words) == 2:
            parent = by_name.get(words[0])
            if parent is None:
                parent = add_row(CommandSpec(words[0], -2, 0, group=group, since=since, categories=frozenset({"slow"})))
        spec = CommandSpec(
            "|".join(words), arity, int(flags), keys, group, since, cost, summary, args,
            all_categories(int(flags), group if function is not None else "", categories), tips, history,
            deprecated_since, replaced_by, parent=parent,
        )
        if any(isinstance(key, KeyNum | KeyWord | KeyUnknown) for key in keys):
            spec.flags |= MOVABLE_KEYS
        add_row(spec, function)


cdef object all_categories(uint64_t flags, str group, str extra):
    found = set(extra.split())
    if flags & WRITE:
        found.add("write")
    if flags & READONLY:
        found.add("read")
    if flags & ADMIN:
        found |= {"admin", "dangerous"}
    if flags & PUBSUB:
        found.add("pubsub")
    if flags & BLOCKING:
        found.add("blocking")
    found.add("fast" if flags & FAST else "slow")
    if group in GROUP_CATEGORY:
        found.add(GROUP_CATEGORY[group])
    absent = {name for name in found if name.startswith("-")}
    return frozenset(found - absent - {name[1:] for name in absent})


cdef object add_row(object spec, object function=None):
    """Make the C row of a specification and put it in the look-up."""
    global commands_used
    cdef Command* c
    cdef bytes full = spec.name.encode()
    cdef bytes word = full.rpartition(b"|")[2]
    cdef bytes upper = word.upper()
    previous = by_name.get(spec.name)
    if previous is not None and (
        (previous.function is None) != (function is None or isinstance(function, int))
        or previous.function is not None and previous.function.__module__.startswith("minikv.")
    ):
        raise ValueError(f"{spec.name} is a built-in command")
    if previous is not None:
        spec.subcommands = previous.subcommands
    if previous is None and commands_used == MAX_COMMANDS:
        raise ValueError(f"more than {MAX_COMMANDS} commands")
    c = <Command*>calloc(1, sizeof(Command))
    if c == NULL:
        raise MemoryError
    Py_INCREF(full)             # the row points into these for ever
    Py_INCREF(word)
    c.name = full
    c.word = word
    c.name_len = <unsigned char>len(word)
    c.word_lower = name_word(word, c.name_len)
    c.word_upper = name_word(upper, c.name_len)
    c.arity = spec.arity
    c.flags = spec.flags
    c.first_key, c.last_key, c.key_step = spec.key_range
    for key in spec.keys:
        if isinstance(key, KeyNum) and key.step == 1:
            c.key_count = key.count
            c.counted_keys = key.first
    if isinstance(function, int):
        c.fn = <CommandFn><void*><size_t>function
    elif function is not None:
        Py_INCREF(function)
        spec.function = function
        c.python = <void*>function
        c.fn = python_runner
    if previous is not None:
        spec.id = previous.id
        c.children = commands[spec.id].children
    else:
        spec.id = commands_used
    c.id = spec.id
    if spec.parent is not None:
        c.parent = commands[spec.parent.id]
        c.sibling = c.parent.children
        c.parent.children = c
        spec.parent.subcommands[word.decode()] = spec
    by_name[spec.name] = spec
    if previous is not None:
        specs[spec.id] = spec
        commands[spec.id] = c
    else:
        specs.append(spec)
        commands[commands_used] = c
        commands_used += 1
    if spec.parent is None:
        put_in_lookup(c)
    return spec


cdef CommandFn python_runner = NULL

cdef void set_python_runner(CommandFn runner) noexcept:
    """Register what calls commands written in Python (pycommand.pyx)."""
    global python_runner
    python_runner = runner


cdef inline uint64_t place_of(const Lookup* t, const Command* c) noexcept nogil:
    return (c.word_lower & FOLD) * t.multiplier >> t.shift


cdef int put_in_lookup(Command* c) except -1:
    """Enter a command, or put it in place of the one of its name; others may be reading."""
    cdef Lookup* t = table_in_use
    cdef uint64_t place
    if t != NULL:
        place = place_of(t, c)
        if t.places[place] == NULL or t.places[place].id == c.id:
            t.places[place] = c
            return 0
    return rebuild_lookup()


cdef int rebuild_lookup() except -1:
    """Find a multiplier under which no two names share a place, and swap the new look-up in."""
    global table_in_use
    cdef Lookup* t = <Lookup*>malloc(sizeof(Lookup))
    cdef uint32_t i, tries = 0
    cdef uint64_t place
    cdef bint clash
    if t == NULL:
        raise MemoryError
    t.multiplier = 0x9E3779B97F4A7C15 if table_in_use == NULL else next_multiplier(table_in_use.multiplier)
    t.shift = 64 - 13
    t.places = NULL
    while True:
        if tries % 2000 == 0 and tries:
            t.shift -= 1            # a wider table when luck does not come
            free(t.places)
            t.places = NULL
        if t.places == NULL:
            t.places = <Command**>malloc(sizeof(Command*) << (64 - t.shift))
            if t.places == NULL:
                raise MemoryError
        memset(t.places, 0, sizeof(Command*) << (64 - t.shift))
        clash = False
        for i in range(commands_used):
            if commands[i].parent != NULL:
                continue
            place = place_of(t, commands[i])
            if t.places[place] != NULL:
                clash = True
                break
            t.places[place] = commands[i]
        if not clash:
            break
        t.multiplier = next_multiplier(t.multiplier)
        tries += 1
    table_in_use = t
    return 0


cdef bint same_word(const char* word, const char* p, uint32_t n) noexcept nogil:
    """Compare in any case; `word` is in lower case."""
    cdef uint32_t i
    cdef unsigned char c
    for i in range(n):
        c = p[i]
        if c'A' <= c <= c'Z':
            c += 32
        if c != <unsigned char>word[i]:
            return False
    return True


cdef Command* find_command(Slice* argv, uint32_t argc) noexcept nogil:
    cdef Lookup* t = table_in_use
    cdef Command* c
    cdef Command* child
    cdef uint64_t word = name_word(argv[0].ptr, argv[0].len)
    c = t.places[(word & FOLD) * t.multiplier >> t.shift]
    if c == NULL or c.name_len != argv[0].len:
        return NULL
    if c.name_len > 8 or (word != c.word_upper and word != c.word_lower):
        if not same_word(c.word, argv[0].ptr, c.name_len):
            return NULL
    if c.children != NULL and argc > 1:
        child = c.children
        while child != NULL:
            if child.name_len == argv[1].len and same_word(child.word, argv[1].ptr, child.name_len):
                return child
            child = child.sibling
    return c


cdef uint32_t command_count() noexcept nogil:
    return commands_used


cdef list keys_behind(object key, list argv):
    """Positions of the keys that a KeyWord tells of; none without the word."""
    places = range(key.start, len(argv)) if key.start >= 0 else range(len(argv) + key.start, 0, -1)
    for place in places:
        if argv[place].upper() == key.word.encode():
            first = place + 1
            end = first + key.last + 1 if key.last >= 0 else len(argv) + key.last + 1
            if key.limit:
                end = first + (end - first) // key.limit
            return [(i, key.flags) for i in range(first, min(end, len(argv)), key.step)]
    return []


def key_positions(spec, list argv):
    """Positions of the keys in a request [name, ...] by a specification; None if it is malformed."""
    found = []
    for key in spec.keys:
        if isinstance(key, KeySpec):
            last = key.last if key.last >= 0 else len(argv) + key.last
            if last >= len(argv):
                return None
            found += [(i, key.flags) for i in range(key.first, last + 1, key.step)]
        elif isinstance(key, KeyWord):
            found += keys_behind(key, argv)
        elif isinstance(key, KeyUnknown):
            if key.word:
                found += keys_behind(KeyWord(key.word, -2, flags=key.flags), argv)
        else:
            try:
                count = int(argv[key.count])
            except (ValueError, IndexError):
                return None
            end = key.first + count * key.step
            if count < 0 or end > len(argv):
                return None
            found += [(i, key.flags) for i in range(key.first, end, key.step)]
    return found
