"""Intersections, unions and differences of sets.

A member's hash is the same in every table of the store, so each member is hashed once. Members are handled in
groups: all places of a group in a table are asked for before any is looked at, so that their cache misses
overlap.

    intersection    the smallest set is walked through; its members are looked for in the others, small ones first
    difference      the first set is walked through; its members are looked for in the others, large ones first,
                    or, if that is less work, in the union of the others
    union           members are gathered in a hash set of process memory, which is freed at once

What comes out lies where it lay: nothing is copied before it is replied or stored.
"""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from minikv_core.engine cimport (
    DENYOOM, READONLY, WRITE, EVENT_GENERIC, EVENT_NEW, EVENT_OVERWRITTEN, EVENT_SET, EVENT_TYPE_CHANGED, Engine,
    Session,
)
from minikv_core.entry cimport Entry, EntryView, entry_form, entry_kind, entry_view
from minikv_core.intset cimport intset_find
from minikv_core.keygroup cimport GROUP, prefetch_keys
from minikv_core.keyspace cimport (
    LOOK_READ, LOOK_WRITE, Found, look_up, notify, remove_key, signal_modified,
)
from minikv_core.memory cimport prefetch, same_bytes
from minikv_core.numbers cimport parse_int
from minikv_core.packed cimport Item, item_of_bytes, item_of_int, packed_find
from minikv_core.registry cimport fn
from minikv_core.reply cimport reply_int, reply_set
from minikv_core.session cimport fail, fail_status, fail_syntax, fail_wrong_type, is_word
from minikv_core.t_set cimport (
    SET_GROUP, STORE_ADDED, STORE_FITTING, Member, StoreForm, SetWalk, is_set, member_hash, member_text,
    reply_member, set_length, set_store, set_table, set_walk_begin, set_walk_member,
)
from minikv_core.table cimport Slot, Table, table_find, table_prefetch_bucket, table_prefetch_entry
from minikv_core.types cimport FAILED, FORM_INTSET, FORM_LARGE, NO_MEMORY, OK, SET, Slice, Status
from minikv_core.registry import KeyNum, KeySpec, define

cdef enum:
    AHEAD = 8               # members prefetched before they are replied
    LEAST_ROOM = 64
    LOOK = 8                # members of a small set that are compared in the time of one look into a table

cdef struct Source:         # a set that takes part
    Entry*   entry          # NULL = there is none
    Table*   table          # of a large one, else NULL
    uint64_t count

cdef struct Candidate:      # a member under examination
    Member   member
    Slice    text           # these three only if the members are hashed
    uint64_t hash
    char[24] digits

cdef struct Members:        # what has been found; malloc'd
    Member*  at
    uint64_t count
    uint64_t room
    bint     counts         # only how many is wanted
    bint     failed         # no memory: members are missing

cdef struct Distinct:       # members without repetition: a hash set by open addressing
    Members   members
    uint64_t* slots         # upper half of the hash, then the place in `members` and 1; 0 = free
    uint64_t  mask

# ---------------------------------------------------------------- the sets

cdef Status open_sources(Session* s, uint32_t first, uint32_t count, Source** sources, uint32_t* missing) noexcept nogil:
    """Look the sets at argv[first], ... up: malloc'd in `sources`; FAILED after an error reply."""
    cdef uint64_t hashes[GROUP]
    cdef uint32_t i, j = 0, n
    cdef Source* source
    cdef Found f
    missing[0] = 0
    sources[0] = <Source*>malloc(count * sizeof(Source))
    if sources[0] == NULL:
        return fail_status(s, NO_MEMORY)
    while j < count:
        n = prefetch_keys(s, first + j, 1, first + count, hashes)
        for i in range(n):
            source = &sources[0][j + i]
            source.table = NULL
            source.count = 0
            if look_up(s, &s.argv[first + j + i], hashes[i], LOOK_READ, &f):
                if not is_set(f.entry):
                    free(sources[0])
                    return fail_wrong_type(s)
                source.count = set_length(s.engine, f.entry)
                if entry_form(f.entry) == FORM_LARGE:
                    source.table = set_table(s.engine, f.entry)
            else:
                missing[0] += 1
            source.entry = f.entry
        j += n
    return OK


cdef void order_by_count(Source* sources, uint32_t count, bint largest_first) noexcept nogil:
    """Sort by insertion: there are few sets."""
    cdef uint32_t i, j
    cdef Source moved
    for i in range(1, count):
        moved = sources[i]
        j = i
        while j and (moved.count > sources[j - 1].count if largest_first else moved.count < sources[j - 1].count):
            sources[j] = sources[j - 1]
            j -= 1
        sources[j] = moved


cdef bint any_table(const Source* sources, uint32_t count) noexcept nogil:
    cdef uint32_t i
    for i in range(count):
        if sources[i].table != NULL:
            return True
    return False


cdef bint has_number_or_text(const Source* source, const Member* m) noexcept nogil:
    """Whether a small set has a member."""
    cdef EntryView v
    cdef Item item
    cdef int64_t number = m.number
    cdef uint32_t at
    entry_view(source.entry, &v)
    if v.form == FORM_INTSET:
        if m.ptr != NULL and not parse_int(m.ptr, <size_t>m.number, &number):
            return False
        return intset_find(v.value, v.vlen, number, &at)
    if m.ptr != NULL:
        item_of_bytes(&item, m.ptr, <uint32_t>m.number)
    else:
        item_of_int(&item, number)
    return packed_find(v.value, v.value + v.vlen, &item, 0) != NULL

# ---------------------------------------------------------------- members found

cdef void members_append(Members* found, const Member* m) noexcept nogil:
    cdef Member* grown
    if found.count == found.room and not found.counts:
        found.room = found.room * 2 + LEAST_ROOM
        grown = <Member*>realloc(found.at, found.room * sizeof(Member))
        if grown == NULL:
            found.room = found.count
            found.failed = True
            return
        found.at = grown
    if not found.counts:
        found.at[found.count] = m[0]
    found.count += 1


cdef uint32_t next_group(Engine* e, SetWalk* w, bint hashed, Candidate* group) noexcept nogil:
    """Take up to SET_GROUP members; returns how many there were."""
    cdef uint32_t n = 0
    cdef Candidate* c
    while n < SET_GROUP:
        c = &group[n]
        if not set_walk_member(w, &c.member):
            break
        if hashed:
            member_text(&c.member, c.digits, &c.text)
            c.hash = member_hash(e, &c.text)
        n += 1
    return n


cdef uint32_t keep(Engine* e, const Source* sources, uint32_t count, bint wanted, Candidate** live, uint32_t n) noexcept nogil:
    """Of n candidates, keep those that every set has (wanted) or that none has; returns how many."""
    cdef uint32_t i, j, kept
    cdef const Source* source
    cdef Candidate* c
    cdef Slot slot
    cdef bint has
    for j in range(count):
        source = &sources[j]
        if source.table != NULL and n > 1:
            for i in range(n):
                table_prefetch_bucket(&e.arena, source.table, live[i].hash)
            for i in range(n):
                table_prefetch_entry(&e.arena, source.table, live[i].hash)
        kept = 0
        for i in range(n):
            c = live[i]
            if source.table != NULL:
                has = table_find(&e.arena, source.table, c.hash, c.text.ptr, c.text.len, &slot)
            else:
                has = source.entry != NULL and has_number_or_text(source, &c.member)
            if has == wanted:
                live[kept] = c
                kept += 1
        n = kept
        if n == 0:
            break
    return n


cdef void filter_set(Engine* e, const Source* walked, const Source* others, uint32_t count, bint wanted, uint64_t limit,
                     Members* found) noexcept nogil:
    """Find the members of a set that every other set has (wanted) or that none has.

    limit    stop after so many
    """
    cdef Candidate group[SET_GROUP]
    cdef Candidate* live[SET_GROUP]
    cdef bint hashed = any_table(others, count)
    cdef uint32_t i, n
    cdef SetWalk w
    set_walk_begin(e, walked.entry, &w)
    while True:
        n = next_group(e, &w, hashed, group)
        if n == 0:
            return
        for i in range(n):
            live[i] = &group[i]
        n = keep(e, others, count, wanted, live, n)
        for i in range(n):
            members_append(found, &live[i].member)
            if found.count >= limit or found.failed:
                return

# ---------------------------------------------------------------- members without repetition

cdef bint distinct_begin(Distinct* d, uint64_t most) noexcept nogil:
    """Make room for up to `most` members; False = no memory."""
    cdef uint64_t room = LEAST_ROOM
    while room < most + most // 2:
        room *= 2
    d.members = [NULL, 0, 0, False, False]
    d.mask = room - 1
    d.slots = <uint64_t*>calloc(room, sizeof(uint64_t))
    return d.slots != NULL


cdef void distinct_end(Distinct* d) noexcept nogil:
    free(d.slots)
    free(d.members.at)


cdef inline bint same_member(const Member* m, const Candidate* c) noexcept nogil:
    cdef char[24] digits
    cdef Slice text
    if m.ptr == NULL and c.member.ptr == NULL:
        return m.number == c.member.number
    member_text(m, digits, &text)
    return text.len == c.text.len and same_bytes(text.ptr, c.text.ptr, text.len)


cdef inline bint distinct_find(const Distinct* d, const Candidate* c, uint64_t* at) noexcept nogil:
    """Whether a member is there; else `at` becomes its place."""
    cdef uint64_t i = c.hash & d.mask
    while d.slots[i]:
        if d.slots[i] >> 32 == c.hash >> 32 and same_member(&d.members.at[<uint32_t>d.slots[i] - 1], c):
            return True
        i = (i + 1) & d.mask
    at[0] = i
    return False


cdef inline uint32_t next_distinct(Engine* e, SetWalk* w, const Distinct* d, Candidate* group) noexcept nogil:
    cdef uint32_t n = next_group(e, w, True, group), i
    for i in range(n):
        prefetch(&d.slots[group[i].hash & d.mask])
    return n


cdef void distinct_add(Engine* e, Distinct* d, const Source* source) noexcept nogil:
    """Add the members of a set."""
    cdef Candidate group[SET_GROUP]
    cdef uint32_t i, n
    cdef uint64_t at
    cdef SetWalk w
    set_walk_begin(e, source.entry, &w)
    while not d.members.failed:
        n = next_distinct(e, &w, d, group)
        if n == 0:
            return
        for i in range(n):
            if not distinct_find(d, &group[i], &at):
                members_append(&d.members, &group[i].member)
                d.slots[at] = (group[i].hash >> 32 << 32) | <uint32_t>d.members.count


cdef void filter_distinct(Engine* e, const Source* walked, const Distinct* d, Members* found) noexcept nogil:
    """Find the members of a set that `d` does not have."""
    cdef Candidate group[SET_GROUP]
    cdef uint32_t i, n
    cdef uint64_t at
    cdef SetWalk w
    set_walk_begin(e, walked.entry, &w)
    while not found.failed:
        n = next_distinct(e, &w, d, group)
        if n == 0:
            return
        for i in range(n):
            if not distinct_find(d, &group[i], &at):
                members_append(found, &group[i].member)

# ---------------------------------------------------------------- the three operations

cdef Status unite(Engine* e, const Source* sources, uint32_t count, Members* found) noexcept nogil:
    cdef Distinct d
    cdef uint64_t sum = 0
    cdef uint32_t i
    for i in range(count):
        sum += sources[i].count
    if not distinct_begin(&d, sum):
        return NO_MEMORY
    for i in range(count):
        if sources[i].entry != NULL:
            distinct_add(e, &d, &sources[i])
    found[0] = d.members
    free(d.slots)
    return OK


cdef Status subtract(Engine* e, Source* sources, uint32_t count, Members* found) noexcept nogil:
    """The first set without the members of the others."""
    cdef Distinct d
    cdef uint64_t sum = 0, looks = 0
    cdef uint32_t i
    if sources[0].entry == NULL:
        return OK
    for i in range(1, count):
        sum += sources[i].count
        looks += 1 if sources[i].table != NULL else 1 + sources[i].count // LOOK
    if sources[0].count * looks <= sources[0].count + sum:
        order_by_count(sources + 1, count - 1, True)
        filter_set(e, sources, sources + 1, count - 1, False, sources[0].count, found)
        return OK
    if not distinct_begin(&d, sum):
        return NO_MEMORY
    for i in range(1, count):
        if sources[i].entry != NULL:
            distinct_add(e, &d, &sources[i])
    if d.members.failed:
        found.failed = True
    else:
        filter_distinct(e, sources, &d, found)
    distinct_end(&d)
    return OK

# ---------------------------------------------------------------- what becomes of the outcome

cdef void reply_members(Session* s, const Members* found) noexcept nogil:
    cdef uint64_t i
    reply_set(&s.out, <int64_t>found.count)
    for i in range(found.count):
        if i + AHEAD < found.count:
            prefetch(found.at[i + AHEAD].ptr)
        reply_member(&s.out, &found.at[i])


cdef Status store_members(Session* s, const Members* found, StoreForm form, const char* event) noexcept nogil:
    """Put the members under argv[1], or remove that if there are none, and reply with their number."""
    cdef Engine* e = s.engine
    cdef Slice* key = &s.argv[1]
    cdef int old
    cdef Found f
    look_up(s, key, s.hash, LOOK_WRITE, &f)
    old = -1 if f.entry == NULL else entry_kind(f.entry)
    if found.count == 0:
        if f.entry != NULL:
            remove_key(e, s.db, &f, e.config.lazyfree_lazy_server_del != 0)
            signal_modified(e, s.db, key, s.hash)
            notify(e, EVENT_GENERIC, b"del", key, s.db)
        reply_int(&s.out, 0)
        return OK
    if set_store(e, s.db, key, &f, found.at, found.count, -1, form) != OK:
        return fail_status(s, NO_MEMORY)
    signal_modified(e, s.db, key, s.hash)
    if old < 0:
        notify(e, EVENT_NEW, b"new", key, s.db)
    else:
        notify(e, EVENT_OVERWRITTEN, b"overwritten", key, s.db)
        if old != SET:
            notify(e, EVENT_TYPE_CHANGED, b"type_changed", key, s.db)
    notify(e, EVENT_SET, event, key, s.db)
    reply_int(&s.out, <int64_t>found.count)
    return OK


cdef Status finish(Session* s, Source* sources, Members* found, Status status, StoreForm form, const char* event) noexcept nogil:
    """Reply or store (event != NULL), and free the work space."""
    if found.failed or status != OK:
        status = fail_status(s, NO_MEMORY)
    elif event != NULL:
        status = store_members(s, found, form, event)
    elif found.counts:
        reply_int(&s.out, <int64_t>found.count)
    else:
        reply_members(s, found)
    free(found.at)
    free(sources)
    return status


cdef Status intersect(Session* s, uint32_t first, uint32_t count, bint counts, uint64_t limit, const char* event) noexcept nogil:
    """counts   SINTERCARD: only the number is wanted"""
    cdef Members found = [NULL, 0, 0, counts, False]
    cdef Source* sources
    cdef uint32_t missing
    if open_sources(s, first, count, &sources, &missing) != OK:
        return FAILED
    if missing == 0:
        order_by_count(sources, count, False)
        filter_set(s.engine, sources, sources + 1, count - 1, True, limit if limit else sources[0].count, &found)
    return finish(s, sources, &found, OK, STORE_FITTING, event)


cdef Status combine(Session* s, uint32_t first, bint subtracts, const char* event) noexcept nogil:
    cdef Members found = [NULL, 0, 0, False, False]
    cdef uint32_t count = s.argc - first, missing
    cdef Source* sources
    cdef Status status
    if open_sources(s, first, count, &sources, &missing) != OK:
        return FAILED
    if subtracts:
        status = subtract(s.engine, sources, count, &found)
    else:
        status = unite(s.engine, sources, count, &found)
    return finish(s, sources, &found, status, STORE_ADDED, event)

# ---------------------------------------------------------------- commands

ANY_ORDER = ("nondeterministic_output_order",)
STORE_KEYS = (KeySpec(1, 1, 1, "OW update"), KeySpec(2, -1, 1, "RO access"))

define("SINTER", fn(cmd_sinter), arity=-2, flags=READONLY, keys=KeySpec(1, -1, 1, "RO access"), group="set",
       since="1.0.0", cost="O(N * M) for the N members of the smallest of M sets", args="key [key ...]", tips=ANY_ORDER,
       summary="List the members that all sets have.")
cdef Status cmd_sinter(Session* s) noexcept nogil:
    return intersect(s, 1, s.argc - 1, False, 0, NULL)


define("SINTERCARD", fn(cmd_sintercard), arity=-3, flags=READONLY, keys=KeyNum(1, 2, "RO access"), group="set",
       since="7.0.0", cost="O(N * M) for the N members of the smallest of M sets",
       args="numkeys key [key ...] [LIMIT limit]", summary="Count the members that all sets have.")
cdef Status cmd_sintercard(Session* s) noexcept nogil:
    cdef int64_t count, limit = 0
    cdef uint32_t i
    if not parse_int(s.argv[1].ptr, s.argv[1].len, &count) or count < 1:
        return fail(s, b"ERR numkeys should be greater than 0")
    if count > s.argc - 2:
        return fail(s, b"ERR Number of keys can't be greater than number of args")
    i = 2 + <uint32_t>count
    while i < s.argc:
        if i + 1 == s.argc or not is_word(&s.argv[i], b"limit"):
            return fail_syntax(s)
        if not parse_int(s.argv[i + 1].ptr, s.argv[i + 1].len, &limit) or limit < 0:
            return fail(s, b"ERR LIMIT can't be negative")
        i += 2
    return intersect(s, 2, <uint32_t>count, True, <uint64_t>limit, NULL)


define("SINTERSTORE", fn(cmd_sinterstore), arity=-3, flags=WRITE | DENYOOM, keys=STORE_KEYS, group="set", since="1.0.0",
       cost="O(N * M) for the N members of the smallest of M sets", args="destination key [key ...]",
       summary="Store the members that all sets have.")
cdef Status cmd_sinterstore(Session* s) noexcept nogil:
    return intersect(s, 2, s.argc - 2, False, 0, b"sinterstore")


define("SUNION", fn(cmd_sunion), arity=-2, flags=READONLY, keys=KeySpec(1, -1, 1, "RO access"), group="set",
       since="1.0.0", cost="O(N) for N members of all sets", args="key [key ...]", tips=ANY_ORDER,
       summary="List the members that any of the sets has.")
cdef Status cmd_sunion(Session* s) noexcept nogil:
    return combine(s, 1, False, NULL)


define("SUNIONSTORE", fn(cmd_sunionstore), arity=-3, flags=WRITE | DENYOOM, keys=STORE_KEYS, group="set",
       since="1.0.0", cost="O(N) for N members of all sets", args="destination key [key ...]",
       summary="Store the members that any of the sets has.")
cdef Status cmd_sunionstore(Session* s) noexcept nogil:
    return combine(s, 2, False, b"sunionstore")


define("SDIFF", fn(cmd_sdiff), arity=-2, flags=READONLY, keys=KeySpec(1, -1, 1, "RO access"), group="set",
       since="1.0.0", cost="O(N) for N members of all sets", args="key [key ...]", tips=ANY_ORDER,
       summary="List the members of the first set that no other has.")
cdef Status cmd_sdiff(Session* s) noexcept nogil:
    return combine(s, 1, True, NULL)


define("SDIFFSTORE", fn(cmd_sdiffstore), arity=-3, flags=WRITE | DENYOOM, keys=STORE_KEYS, group="set", since="1.0.0",
       cost="O(N) for N members of all sets", args="destination key [key ...]",
       summary="Store the members of the first set that no other has.")
cdef Status cmd_sdiffstore(Session* s) noexcept nogil:
    return combine(s, 2, True, b"sdiffstore")
