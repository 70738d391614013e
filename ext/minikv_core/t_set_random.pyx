"""Random members of sets: SPOP and SRANDMEMBER.

Every member, and every choice of several, has the same chance. A part of a small set, or a large part of a
large one, is chosen in one pass in which each member is taken with the chance (still wanted) / (still to
come) (Knuth, The Art of Computer Programming, 3.4.2, algorithm S); a few members of a large set are drawn
one by one, those that come twice again.
"""

from libc.stdint cimport INT64_MIN, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy
from minikv_core.arena cimport arena_at, arena_free
from minikv_core.engine cimport FAST, READONLY, WRITE, EVENT_GENERIC, EVENT_SET, Engine, Session
from minikv_core.entry cimport Entry, EntryView, entry_expiry, entry_form, entry_view, load_int
from minikv_core.hash cimport hash_bytes
from minikv_core.intset cimport intset_at, intset_count, intset_width
from minikv_core.keyspace cimport (
    LOOK_READ, LOOK_WRITE, Found, look_up, notify, remove_key, signal_modified, value_splice,
)
from minikv_core.member cimport SET_KEY, member_key
from minikv_core.memory cimport ctz, prefetch
from minikv_core.numbers cimport parse_int
from minikv_core.output cimport OutMark, output_mark, output_rollback
from minikv_core.packed cimport packed_at, packed_count, packed_next, reply_packed
from minikv_core.registry cimport fn
from minikv_core.reply cimport reply_array, reply_bulk, reply_bulk_int, reply_null, reply_set
from minikv_core.session cimport fail, fail_status, fail_syntax, fail_wrong_type
from minikv_core.t_set cimport (
    SET_GROUP, STORE_PACKED, Member, SetWalk, hash_members, is_set, random_below, reply_member, set_length, set_store,
    set_table, set_walk_begin, set_walk_member,
)
from minikv_core.table cimport (
    ALL_SLOTS, BUCKETS, Bucket, Segment, Slot, Table, match_tags, table_find_ref, table_next_segment,
    table_random, table_remove,
)
from minikv_core.types cimport FORM_INTSET, FORM_LARGE, NO_MEMORY, OK, Ref, Slice, Status
from minikv_core.registry import KeySpec, define

cdef enum:
    FEW = 8                 # fewer than one in so many members are drawn one by one
    REBUILD = 5             # a set that keeps fewer than one in so many + 1 members is built anew, as in Redis
    AHEAD = 8               # members prefetched before they are replied

# ---------------------------------------------------------------- choosing in large sets

cdef inline void reply_ref(Session* s, Ref ref) noexcept nogil:
    cdef uint32_t n
    cdef char* p = member_key(arena_at(&s.engine.arena, ref), SET_KEY, &n)
    reply_bulk(&s.out, p, n)


cdef void reply_refs(Session* s, const Ref* refs, uint64_t count) noexcept nogil:
    cdef uint64_t i
    for i in range(count):
        if i + AHEAD < count:
            prefetch(arena_at(&s.engine.arena, refs[i + AHEAD]))
        reply_ref(s, refs[i])


cdef void choose_in_order(Engine* e, Table* t, uint64_t count, Ref* chosen, Ref* rest) noexcept nogil:
    """Fill `chosen` with `count` members, and `rest`, if there is one, with the others."""
    cdef uint64_t position = 0, left = t.count, taken = 0, others = 0
    cdef Segment* segment
    cdef Bucket* b
    cdef uint32_t i, mask
    while left:
        segment = table_next_segment(&e.arena, t, &position)
        for i in range(<uint32_t>BUCKETS):
            b = &segment.buckets[i]
            mask = ~match_tags(b.tags, 0) & ALL_SLOTS
            while mask:
                if random_below(e, left) < count - taken:
                    chosen[taken] = b.refs[ctz(mask)]
                    taken += 1
                elif rest != NULL:
                    rest[others] = b.refs[ctz(mask)]
                    others += 1
                elif taken == count:
                    return
                left -= 1
                mask &= mask - 1


cdef bint choose_few(Engine* e, Table* t, uint64_t count, Ref* chosen) noexcept nogil:
    """Fill `chosen` with `count` members, which are few of all; False = no memory."""
    cdef uint64_t room = 64, i = 0, at
    cdef Ref* seen          # hash set by open addressing; 0 = free
    cdef Ref ref
    while room < count * 2:
        room *= 2
    seen = <Ref*>calloc(room, sizeof(Ref))
    if seen == NULL:
        return False
    while i < count:
        ref = table_random(&e.arena, t, &e.random)
        at = (ref * <uint64_t>0x9E3779B97F4A7C15) >> 20 & (room - 1)
        while seen[at] and seen[at] != ref:
            at = (at + 1) & (room - 1)
        if seen[at] == 0:
            seen[at] = ref
            chosen[i] = ref
            i += 1
    free(seen)
    return True


cdef Ref* choose(Engine* e, Table* t, uint64_t count) noexcept nogil:
    """`count` distinct members, not more than there are; malloc'd, NULL = no memory."""
    cdef Ref* chosen = <Ref*>malloc(count * sizeof(Ref))
    if chosen == NULL:
        return NULL
    if count * FEW >= t.count:
        choose_in_order(e, t, count, chosen, NULL)
    elif not choose_few(e, t, count, chosen):
        free(chosen)
        return NULL
    return chosen

# ---------------------------------------------------------------- SPOP

cdef void tell_popped(Session* s, const Found* f) noexcept nogil:
    signal_modified(s.engine, s.db, &s.argv[1], s.hash)
    notify(s.engine, EVENT_SET, b"spop", &s.argv[1], s.db)
    if f.entry == NULL:
        notify(s.engine, EVENT_GENERIC, b"del", &s.argv[1], s.db)


cdef void remove_ref(Engine* e, Table* t, uint64_t hash, Ref ref) noexcept nogil:
    cdef Slot slot
    table_find_ref(&e.arena, t, hash, ref, &slot)
    table_remove(&e.arena, t, hash, &slot)
    arena_free(&e.arena, ref)


cdef Status pop_one(Session* s, Found* f) noexcept nogil:
    cdef Engine* e = s.engine
    cdef EntryView v
    cdef OutMark before
    cdef uint32_t count, size, n
    cdef Table* t
    cdef char* p
    cdef Ref ref
    if entry_form(f.entry) == FORM_LARGE:
        t = set_table(e, f.entry)
        ref = table_random(&e.arena, t, &e.random)
        p = member_key(arena_at(&e.arena, ref), SET_KEY, &n)
        reply_bulk(&s.out, p, n)
        remove_ref(e, t, hash_bytes(&e.arena.head.seed, p, n), ref)
        if t.count == 0:
            remove_key(e, s.db, f, False)
        return OK
    output_mark(&s.out, &before)
    entry_view(f.entry, &v)
    if v.form == FORM_INTSET:
        count = intset_count(v.value, v.vlen)
        size = intset_width(v.value)
        p = v.value + 1 + random_below(e, count) * size
        reply_bulk_int(&s.out, load_int(p, size))
    else:
        count = packed_count(v.value, v.value + v.vlen)
        p = packed_at(v.value, <uint32_t>random_below(e, count))
        size = <uint32_t>(reply_packed(&s.out, p) - p)
    if count == 1:
        remove_key(e, s.db, f, False)
    elif value_splice(e, f, <uint32_t>(p - v.value), size, 0) == NULL:
        output_rollback(&s.out, &before)
        return NO_MEMORY
    return OK


cdef Status pop_small(Session* s, Found* f, uint64_t count) noexcept nogil:
    """Pop some of a small set's members, not all."""
    cdef Engine* e = s.engine
    cdef uint64_t left = set_length(e, f.entry)
    cdef const char* p
    cdef const char* end
    cdef const char* following
    cdef char* kept
    cdef char* to
    cdef char* payload
    cdef EntryView v
    cdef OutMark before
    cdef uint32_t width = 0
    entry_view(f.entry, &v)
    kept = to = <char*>malloc(v.vlen)
    if kept == NULL:
        return NO_MEMORY
    output_mark(&s.out, &before)
    reply_set(&s.out, <int64_t>count)
    p = v.value
    end = p + v.vlen
    if v.form == FORM_INTSET:
        width = intset_width(p)
        to[0] = p[0]
        to += 1
        p += 1
    while p < end:
        following = p + width if width else packed_next(p)
        if random_below(e, left) >= count:
            memcpy(to, p, <size_t>(following - p))
            to += following - p
        else:
            count -= 1
            if width:
                reply_bulk_int(&s.out, load_int(p, width))
            else:
                reply_packed(&s.out, p)
        left -= 1
        p = following
    payload = value_splice(e, f, 0, v.vlen, <uint32_t>(to - kept))
    if payload != NULL:
        memcpy(payload, kept, <size_t>(to - kept))
    else:
        output_rollback(&s.out, &before)
    free(kept)
    return OK if payload != NULL else NO_MEMORY


cdef Status pop_most(Session* s, Found* f, uint64_t count) noexcept nogil:
    """Pop so many of a large set's members that what remains is put into a new set."""
    cdef Engine* e = s.engine
    cdef Table* t = set_table(e, f.entry)
    cdef uint64_t i, remaining = t.count - count
    cdef Ref* chosen = <Ref*>malloc(t.count * sizeof(Ref))
    cdef Member* kept = <Member*>malloc(remaining * sizeof(Member))
    cdef Status status = NO_MEMORY
    cdef OutMark before
    cdef uint32_t n
    if chosen != NULL and kept != NULL:
        choose_in_order(e, t, count, chosen, chosen + count)
        for i in range(remaining):
            kept[i].ptr = member_key(arena_at(&e.arena, chosen[count + i]), SET_KEY, &n)
            kept[i].number = n
        output_mark(&s.out, &before)
        reply_set(&s.out, <int64_t>count)
        reply_refs(s, chosen, count)
        status = set_store(e, s.db, &s.argv[1], f, kept, remaining, entry_expiry(f.entry), STORE_PACKED)
        if status != OK:
            output_rollback(&s.out, &before)
    free(chosen)
    free(kept)
    return status


cdef Status pop_some(Session* s, Found* f, uint64_t count) noexcept nogil:
    """Pop some of a large set's members; most remain."""
    cdef Engine* e = s.engine
    cdef Table* t = set_table(e, f.entry)
    cdef Ref* chosen = choose(e, t, count)
    cdef Slice members[SET_GROUP]
    cdef uint64_t hashes[SET_GROUP]
    cdef uint64_t i = 0
    cdef uint32_t j, n
    if chosen == NULL:
        return NO_MEMORY
    reply_set(&s.out, <int64_t>count)
    while i < count:
        n = <uint32_t>min(count - i, <uint64_t>SET_GROUP)
        for j in range(n):
            prefetch(arena_at(&e.arena, chosen[i + j]))
        for j in range(n):
            members[j].ptr = member_key(arena_at(&e.arena, chosen[i + j]), SET_KEY, &members[j].len)
            reply_bulk(&s.out, members[j].ptr, members[j].len)
        hash_members(e, t, members, n, hashes)
        for j in range(n):
            remove_ref(e, t, hashes[j], chosen[i + j])
        i += n
    free(chosen)
    return OK


cdef void reply_all(Session* s, Entry* entry) noexcept nogil:
    cdef SetWalk w
    cdef Member m
    set_walk_begin(s.engine, entry, &w)
    while set_walk_member(&w, &m):
        reply_member(&s.out, &m)


cdef Status pop_count(Session* s, Found* f, uint64_t count) noexcept nogil:
    cdef uint64_t size = set_length(s.engine, f.entry)
    if count >= size:
        reply_set(&s.out, <int64_t>size)
        reply_all(s, f.entry)
        remove_key(s.engine, s.db, f, s.engine.config.lazyfree_lazy_server_del != 0)
        return OK
    if entry_form(f.entry) != FORM_LARGE:
        return pop_small(s, f, count)
    if (size - count) * REBUILD <= count:
        return pop_most(s, f, count)
    return pop_some(s, f, count)


define("SPOP", fn(cmd_spop), arity=-2, flags=WRITE | FAST, keys=KeySpec(1, 1, 1, "RW access delete"), group="set",
       since="1.0.0", cost="O(1), or O(N) for N members to remove", args="key [count]", tips=("nondeterministic_output",),
       history=(("3.2.0", "Argument `count`."),), summary="Remove random members of a set and return them.")
cdef Status cmd_spop(Session* s) noexcept nogil:
    cdef bint counted = s.argc > 2
    cdef int64_t count = 1
    cdef Status status
    cdef Found f
    if s.argc > 3:
        return fail_syntax(s)
    if counted and (not parse_int(s.argv[2].ptr, s.argv[2].len, &count) or count < 0):
        return fail(s, b"ERR value is out of range, must be positive")
    if not look_up(s, &s.argv[1], s.hash, LOOK_WRITE, &f):
        if counted:
            reply_set(&s.out, 0)
        else:
            reply_null(&s.out)
        return OK
    if not is_set(f.entry):
        return fail_wrong_type(s)
    if count == 0:
        reply_set(&s.out, 0)
        return OK
    status = pop_count(s, &f, <uint64_t>count) if counted else pop_one(s, &f)
    if status != OK:
        return fail_status(s, status)
    tell_popped(s, &f)
    return OK

# ---------------------------------------------------------------- SRANDMEMBER

cdef void reply_one(Session* s, Entry* entry) noexcept nogil:
    """Reply with a random member."""
    cdef Engine* e = s.engine
    cdef EntryView v
    if entry_form(entry) == FORM_LARGE:
        reply_ref(s, table_random(&e.arena, set_table(e, entry), &e.random))
        return
    entry_view(entry, &v)
    if v.form == FORM_INTSET:
        reply_bulk_int(&s.out, intset_at(v.value, <uint32_t>random_below(e, intset_count(v.value, v.vlen))))
    else:
        reply_packed(&s.out, packed_at(v.value, <uint32_t>random_below(e, packed_count(v.value, v.value + v.vlen))))


cdef Status reply_distinct(Session* s, Entry* entry, uint64_t count) noexcept nogil:
    """Reply with `count` random members, each at most once."""
    cdef Engine* e = s.engine
    cdef uint64_t left = set_length(e, entry)
    cdef Ref* chosen
    cdef SetWalk w
    cdef Member m
    if count >= left:
        reply_array(&s.out, <int64_t>left)
        reply_all(s, entry)
        return OK
    if entry_form(entry) == FORM_LARGE and count:
        chosen = choose(e, set_table(e, entry), count)
        if chosen == NULL:
            return NO_MEMORY
        reply_array(&s.out, <int64_t>count)
        reply_refs(s, chosen, count)
        free(chosen)
        return OK
    reply_array(&s.out, <int64_t>count)
    set_walk_begin(e, entry, &w)
    while count and set_walk_member(&w, &m):
        if random_below(e, left) < count:
            reply_member(&s.out, &m)
            count -= 1
        left -= 1
    return OK


cdef Status reply_repeated(Session* s, Entry* entry, uint64_t count) noexcept nogil:
    """Reply with `count` random members, each as often as it is drawn."""
    cdef Engine* e = s.engine
    cdef Ref drawn[SET_GROUP]
    cdef Member* members
    cdef SetWalk w
    cdef uint64_t i = 0, n, _
    if entry_form(entry) == FORM_LARGE:
        reply_array(&s.out, <int64_t>count)
        while count:
            n = min(count, <uint64_t>SET_GROUP)
            for i in range(n):
                drawn[i] = table_random(&e.arena, set_table(e, entry), &e.random)
                prefetch(arena_at(&e.arena, drawn[i]))
            for i in range(n):
                reply_ref(s, drawn[i])
            count -= n
        return OK
    n = set_length(e, entry)
    members = <Member*>malloc(n * sizeof(Member))
    if members == NULL:
        return NO_MEMORY
    set_walk_begin(e, entry, &w)
    while set_walk_member(&w, &members[i]):
        i += 1
        if i == n:
            break
    reply_array(&s.out, <int64_t>count)
    for _ in range(count):
        reply_member(&s.out, &members[random_below(e, n)])
    free(members)
    return OK


define("SRANDMEMBER", fn(cmd_srandmember), arity=-2, flags=READONLY, keys=KeySpec(1, 1, 1, "RO access"), group="set",
       since="1.0.0", cost="O(1), or O(N) for N members to return", args="key [count]",
       tips=("nondeterministic_output",), history=(("2.6.0", "Argument `count`."),),
       summary="Return random members of a set.")
cdef Status cmd_srandmember(Session* s) noexcept nogil:
    cdef bint counted = s.argc > 2
    cdef int64_t count = 0
    cdef Status status = OK
    cdef Found f
    if s.argc > 3:
        return fail_syntax(s)
    if counted:
        if not parse_int(s.argv[2].ptr, s.argv[2].len, &count):
            return fail(s, b"ERR value is not an integer or out of range")
        if count == INT64_MIN:
            return fail(s, b"ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807")
    if not look_up(s, &s.argv[1], s.hash, LOOK_READ, &f):
        if counted:
            reply_array(&s.out, 0)
        else:
            reply_null(&s.out)
        return OK
    if not is_set(f.entry):
        return fail_wrong_type(s)
    if not counted:
        reply_one(s, f.entry)
    elif count >= 0:
        status = reply_distinct(s, f.entry, <uint64_t>count)
    else:
        status = reply_repeated(s, f.entry, <uint64_t>-count)
    return OK if status == OK else fail_status(s, status)
