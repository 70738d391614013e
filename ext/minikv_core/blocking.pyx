"""Blocked sessions: who waits for which key, and who is served when something comes.

A session that blocks keeps copies of its arguments and stands in the queue of each of its keys. When a
command has put something under such a key (signal_ready), those who wait there are served after it, in
order of arrival, by running their command again. The worker that ran the first command does that for all,
whoever's sessions they are: what it writes for another worker's session it leaves in Session.pushes. So
nobody is overtaken, and a session that waits costs its worker nothing. Deadlines lie in a binary heap.

All of it is process memory of the engine; an engine in which nobody has ever waited has none.
"""

from libc.stddef cimport size_t
from libc.stdint cimport INT64_MAX, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp, memcpy
from minikv_core.arena cimport arena_at
from minikv_core.engine cimport (
    CLOSE_AFTER, CLOSE_NOW, GATE_PAUSED, IN_EXEC, IS_BLOCKED, IS_INTERNAL, REPLY_OFF, REPLY_SKIP, Database, Engine,
    Session,
)
from minikv_core.entry cimport Entry, entry_kind
from minikv_core.hash cimport hash_bytes
from minikv_core.linked cimport (
    Map, Node, Ring, map_add, map_chain, map_remove, ring_append, ring_init, ring_remove,
)
from minikv_core.numbers cimport parse_int, parse_long_double
from minikv_core.output cimport (
    OutMark, Output, output_attach, output_detach, output_init, output_mark, output_move, output_rollback,
)
from minikv_core.reply cimport reply_null_array
from minikv_core.session cimport (
    count_memory, fail, fail_status, on_session_end, refuse_push, session_close, session_continue, session_make_ready,
    session_retry, session_wait,
)
from minikv_core.table cimport Slot, table_find
from minikv_core.types cimport BLOCKED, FAILED, NO_MEMORY, OK, Slice, Status

cdef extern from "math.h" nogil:
    long double ceill(long double x)

cdef enum:
    SCRATCH = 16384         # bytes in which the replies to sessions that are served are written

cdef enum Verdict:          # what a session that waits is told
    SERVED = 0              # its command's reply, if it has one now
    TIMED_OUT = 1
    UNBLOCKED = 2           # CLIENT UNBLOCK ERROR

cdef struct WaitedKey:      # a key that somebody waits for
    Node     node           # in Blocking.keys; first, so that a Node* is a WaitedKey*
    Ring     waiters        # head, in order of arrival
    Database* db
    uint32_t len
    bint     ready          # in Blocking's queue of ready keys
    bint     pinned         # being served: it stays though nobody waits any more
    WaitedKey* next_ready
    char[1]  name           # len bytes

cdef struct Waiter:         # one session at one of its keys
    Ring     ring           # in WaitedKey.waiters; first, so that a Ring* is a Waiter*
    WaitedKey* key
    Session* session

cdef struct Blocked:        # Session.blocked
    Slice*   argv           # copies, in one malloc'd block with what they point to
    uint32_t argc
    int      kind           # Kind that it waits for
    int      flags          # WaitFlag bits
    int64_t  deadline_ms    # 0 = none
    uint32_t place          # in Blocking.deadlines
    uint32_t count          # waiters in use
    Waiter*  waiters

cdef struct Blocking:       # Engine.blocking
    Map      keys           # WaitedKey.node
    WaitedKey* ready        # queue, oldest first
    WaitedKey* last_ready
    bint     serving
    Session** deadlines     # heap by Blocked.deadline_ms; malloc'd
    uint32_t timed          # its sessions
    uint32_t room
    char[SCRATCH] scratch

# ---------------------------------------------------------------- deadlines

cdef inline Blocked* blocked_of(const Session* s) noexcept nogil:
    return <Blocked*>s.blocked


cdef inline void set_place(Blocking* b, uint32_t i, Session* s) noexcept nogil:
    b.deadlines[i] = s
    blocked_of(s).place = i


cdef void sift(Blocking* b, uint32_t i) noexcept nogil:
    """Move the session at a place of the heap up or down to where it belongs."""
    cdef Session* s = b.deadlines[i]
    cdef int64_t at = blocked_of(s).deadline_ms
    cdef uint32_t other
    while i and blocked_of(b.deadlines[(i - 1) // 2]).deadline_ms > at:
        set_place(b, i, b.deadlines[(i - 1) // 2])
        i = (i - 1) // 2
    while True:
        other = 2 * i + 1
        if other >= b.timed:
            break
        if other + 1 < b.timed and (blocked_of(b.deadlines[other + 1]).deadline_ms
                                    < blocked_of(b.deadlines[other]).deadline_ms):
            other += 1
        if blocked_of(b.deadlines[other]).deadline_ms >= at:
            break
        set_place(b, i, b.deadlines[other])
        i = other
    set_place(b, i, s)


cdef inline void note_deadline(Engine* e, const Blocking* b) noexcept nogil:
    e.block_due_ms = blocked_of(b.deadlines[0]).deadline_ms if b.timed else INT64_MAX


cdef bint add_deadline(Engine* e, Session* s) noexcept nogil:
    cdef Blocking* b = <Blocking*>e.blocking
    cdef Session** grown
    if b.timed == b.room:
        grown = <Session**>realloc(b.deadlines, (b.room * 2 + 16) * sizeof(Session*))
        if grown == NULL:
            return False
        b.deadlines = grown
        b.room = b.room * 2 + 16
    b.timed += 1
    set_place(b, b.timed - 1, s)
    sift(b, b.timed - 1)
    note_deadline(e, b)
    return True


cdef void drop_deadline(Engine* e, Session* s) noexcept nogil:
    cdef Blocking* b = <Blocking*>e.blocking
    cdef uint32_t i = blocked_of(s).place
    b.timed -= 1
    if i < b.timed:
        set_place(b, i, b.deadlines[b.timed])
        sift(b, i)
    note_deadline(e, b)


cdef void end_waits(Engine* e) noexcept nogil:
    """Tell those whose time is over."""
    cdef Blocking* b = <Blocking*>e.blocking
    while b.timed and blocked_of(b.deadlines[0]).deadline_ms <= e.now_ms:
        answer(b.deadlines[0], TIMED_OUT)

# ---------------------------------------------------------------- keys and waiters

cdef inline uint64_t waited_hash(const Engine* e, const Database* db, const Slice* key) noexcept nogil:
    return hash_bytes(&e.arena.head.seed, key.ptr, key.len) + db.id


cdef WaitedKey* find_key(Engine* e, const Database* db, const Slice* key) noexcept nogil:
    cdef uint64_t hash = waited_hash(e, db, key)
    cdef Node* node = map_chain(&(<Blocking*>e.blocking).keys, hash)
    cdef WaitedKey* k
    while node != NULL:
        k = <WaitedKey*>node
        if node.hash == hash and k.db == db and k.len == key.len and memcmp(k.name, key.ptr, k.len) == 0:
            return k
        node = node.chained
    return NULL


cdef WaitedKey* add_key(Engine* e, Database* db, const Slice* key) noexcept nogil:
    cdef WaitedKey* k = <WaitedKey*>calloc(1, sizeof(WaitedKey) + key.len)
    if k == NULL:
        return NULL
    k.node.hash = waited_hash(e, db, key)
    ring_init(&k.waiters)
    k.db = db
    k.len = key.len
    memcpy(k.name, key.ptr, key.len)
    if not map_add(&(<Blocking*>e.blocking).keys, &k.node):
        free(k)
        return NULL
    e.waited_keys += 1
    return k


cdef void drop_if_unused(Engine* e, WaitedKey* k) noexcept nogil:
    if k.waiters.next != &k.waiters or k.ready or k.pinned:
        return
    map_remove(&(<Blocking*>e.blocking).keys, &k.node)
    e.waited_keys -= 1
    free(k)


cdef uint32_t waited_gone(const Engine* e) noexcept nogil:
    cdef Blocking* b = <Blocking*>e.blocking
    cdef Node* node
    cdef Ring* head
    cdef Ring* r
    cdef uint32_t i, found = 0
    for i in range(b.keys.room if b != NULL else 0):
        node = b.keys.places[i]
        while node != NULL:
            head = &(<WaitedKey*>node).waiters
            r = head.next
            while r != head and blocked_of((<Waiter*>r).session).flags & WAIT_GONE == 0:
                r = r.next
            found += r != head
            node = node.chained
    return found


cdef bint stands_at(const Blocked* b, const WaitedKey* k) noexcept nogil:
    cdef uint32_t i
    for i in range(b.count):
        if b.waiters[i].key == k:
            return True
    return False


cdef void leave(Session* s) noexcept nogil:
    """Take a session out of all queues; it waits no more."""
    cdef Engine* e = s.engine
    cdef Blocked* b = blocked_of(s)
    cdef uint32_t i
    if b == NULL:
        return
    for i in range(b.count):
        ring_remove(&b.waiters[i].ring)
        drop_if_unused(e, b.waiters[i].key)
    if b.deadline_ms:
        drop_deadline(e, s)
    s.state_bytes -= memory_of(b)
    s.blocked = NULL
    s.blocked_on = NULL
    s.flags &= ~<uint32_t>IS_BLOCKED
    e.blocked -= 1
    free(b.waiters)
    free(b.argv)
    free(b)


cdef size_t memory_of(const Blocked* b) noexcept nogil:
    cdef size_t n = sizeof(Blocked)
    cdef uint32_t i
    for i in range(b.argc):
        n += sizeof(Slice) + b.argv[i].len
    return n + b.count * (sizeof(Waiter) + sizeof(WaitedKey))

# ---------------------------------------------------------------- blocking

cdef Slice* copy_arguments(const Slice* argv, uint32_t argc) noexcept nogil:
    cdef size_t n = argc * sizeof(Slice)
    cdef Slice* copies
    cdef char* p
    cdef uint32_t i
    for i in range(argc):
        n += argv[i].len
    copies = <Slice*>malloc(n)
    if copies == NULL:
        return NULL
    p = <char*>(copies + argc)
    for i in range(argc):
        copies[i].ptr = p
        copies[i].len = argv[i].len
        copies[i].block = 0
        if argv[i].len:
            memcpy(p, argv[i].ptr, argv[i].len)
        p += argv[i].len
    return copies


cdef Status block_on_keys(Session* s, uint32_t first, uint32_t count, int kind, int flags,
                          int64_t deadline_ms) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Blocked* b
    cdef WaitedKey* k
    cdef uint32_t i
    if s.flags & IS_BLOCKED:                # it has been run again, in vain
        return BLOCKED
    if s.flags & (IN_EXEC | IS_INTERNAL):
        reply_null_array(&s.out)
        return OK
    if refuse_push(s):
        return FAILED
    if e.blocking == NULL:
        e.blocking = calloc(1, sizeof(Blocking))
        if e.blocking == NULL:
            return fail_status(s, NO_MEMORY)
    b = <Blocked*>calloc(1, sizeof(Blocked))
    if b == NULL:
        return fail_status(s, NO_MEMORY)
    b.argv = copy_arguments(s.argv, s.argc)
    b.argc = s.argc
    b.waiters = <Waiter*>calloc(count, sizeof(Waiter))
    b.kind = kind
    b.flags = flags
    s.blocked = b
    s.blocked_on = end_wait
    s.flags |= IS_BLOCKED
    e.blocked += 1
    if b.argv == NULL:
        b.argc = 0
    s.state_bytes += memory_of(b)
    if b.argv == NULL or b.waiters == NULL:
        leave(s)
        return fail_status(s, NO_MEMORY)
    b.deadline_ms = deadline_ms
    if deadline_ms and not add_deadline(e, s):
        b.deadline_ms = 0
        leave(s)
        return fail_status(s, NO_MEMORY)
    for i in range(count):
        k = find_key(e, s.db, &s.argv[first + i])
        if k == NULL:
            k = add_key(e, s.db, &s.argv[first + i])
            if k == NULL:
                leave(s)
                return fail_status(s, NO_MEMORY)
        if not stands_at(b, k):
            b.waiters[b.count].key = k
            b.waiters[b.count].session = s
            ring_append(&k.waiters, &b.waiters[b.count].ring)
            b.count += 1
            s.state_bytes += sizeof(Waiter) + sizeof(WaitedKey)
    session_wait(s)
    return BLOCKED


cdef bint replace_argument(Session* s, uint32_t i, const char* p, uint32_t n) noexcept nogil:
    cdef Blocked* b = blocked_of(s)
    cdef Slice* copies
    cdef Slice kept = b.argv[i]
    b.argv[i].ptr = <char*>p
    b.argv[i].len = n
    copies = copy_arguments(b.argv, b.argc)
    if copies == NULL:
        b.argv[i] = kept
        return False
    s.state_bytes += <size_t>n - kept.len
    free(b.argv)
    b.argv = copies
    return True

# ---------------------------------------------------------------- serving

cdef void mark_ready(Engine* e, WaitedKey* k) noexcept nogil:
    cdef Blocking* b = <Blocking*>e.blocking
    if k.ready:
        return
    k.ready = True
    k.next_ready = NULL
    if b.ready == NULL:
        b.ready = k
    else:
        b.last_ready.next_ready = k
    b.last_ready = k
    e.ready_keys += 1


cdef void key_ready(Engine* e, Database* db, const Slice* key, int kind) noexcept nogil:
    """Note that something has happened at a key; key NULL: at all of a database, db NULL: at all of them."""
    cdef Blocking* b = <Blocking*>e.blocking
    cdef Node* node
    cdef WaitedKey* k
    cdef uint32_t i
    if key != NULL:
        k = find_key(e, db, key)
        if k != NULL:
            mark_ready(e, k)
        return
    for i in range(b.keys.room):
        node = b.keys.places[i]
        while node != NULL:
            k = <WaitedKey*>node
            if db == NULL or k.db == db:
                mark_ready(e, k)
            node = node.chained


cdef int kind_at(Engine* e, const WaitedKey* k) noexcept nogil:
    """Kind of the value at a key; -1 = there is none."""
    cdef Slot slot
    if not table_find(&e.arena, &k.db.keys, hash_bytes(&e.arena.head.seed, k.name, k.len), k.name, k.len, &slot):
        return -1
    return entry_kind(<Entry*>arena_at(&e.arena, slot.bucket.refs[slot.index]))


cdef void serve_blocked(Engine* e) noexcept nogil:
    """Serve those who wait for the keys that have become ready, in order of arrival; not during CLIENT PAUSE."""
    cdef Blocking* b = <Blocking*>e.blocking
    cdef WaitedKey* k
    if b == NULL or b.serving or (e.gate & GATE_PAUSED and e.pause_until_ms > e.now_ms):
        return
    b.serving = True
    while b.ready != NULL:
        k = b.ready
        b.ready = k.next_ready
        k.ready = False
        e.ready_keys -= 1
        k.pinned = True
        serve_key(e, k)
        k.pinned = False
        drop_if_unused(e, k)
    b.serving = False


cdef void serve_key(Engine* e, WaitedKey* k) noexcept nogil:
    cdef Ring* r = k.waiters.next
    cdef Ring* last = k.waiters.previous
    cdef Ring* following
    cdef Session* s
    cdef bint at_end = r == &k.waiters
    while not at_end:
        following = r.next
        at_end = r == last
        s = (<Waiter*>r).session
        if s.gate & (CLOSE_AFTER | CLOSE_NOW):
            pass                        # what it is given would be lost
        elif kind_at(e, k) == blocked_of(s).kind or blocked_of(s).flags & WAIT_GONE:
            answer(s, SERVED)
        r = following


cdef void answer(Session* s, Verdict verdict) noexcept nogil:
    """Write what a session has waited for, or why it waits no more, and let it go on; or let it wait on.

    The worker of a session may be sending from its output at this moment. So it is a copy of another worker's
    session that runs the command, and the reply is left before the messages that this has caused.
    """
    cdef Engine* e = s.engine
    cdef Session copy
    cdef Output* before = s.pushes
    cdef Output* left
    cdef bint ends
    if s.worker == e.active:
        output_detach(&s.out)               # it may have run in this turn, and not been sent to yet
        ends = write_answer(s, verdict)
    else:
        left = <Output*>malloc(sizeof(Output)) if before == NULL else before
        if left == NULL:
            leave(s)
            session_close(s, False)
            return
        s.pushes = NULL
        copy = s[0]
        output_init(&copy.out, &e.arena)
        copy.out.protocol = s.out.protocol
        ends = write_answer(&copy, verdict)
        s.peer = copy.peer                  # a slow log may have asked for it
        s.commands = copy.commands
        s.last_command = copy.last_command
        s.state_bytes = copy.state_bytes
        if s.pushes != NULL:
            output_move(&copy.out, s.pushes)
            free(s.pushes)
        if before != NULL:
            output_move(before, &copy.out)
        else:
            left[0] = copy.out
        s.pushes = left
    if ends:
        leave(s)
        s.gate &= ~<uint32_t>REPLY_SKIP
        session_continue(s)
        count_memory(s)
    elif s.pushes != NULL:
        session_make_ready(s)


cdef bint write_answer(Session* s, Verdict verdict) noexcept nogil:
    """Whether there is an answer; it has been written to an output that is not attached."""
    cdef Engine* e = s.engine
    cdef Blocked* b = blocked_of(s)
    cdef Output* o = &s.out
    cdef OutMark mark
    cdef bint ends = True
    output_attach(o, (<Blocking*>e.blocking).scratch, SCRATCH)
    output_mark(o, &mark)
    if verdict == SERVED:
        ends = session_retry(s, b.argv, b.argc) != BLOCKED
    else:
        e.counters[s.last_command.id].calls += 1
        if verdict == UNBLOCKED:
            e.counters[s.last_command.id].failed += 1
            fail(s, b"UNBLOCKED client unblocked via CLIENT UNBLOCK")
        else:
            reply_null_array(o)
    if s.gate & (REPLY_OFF | REPLY_SKIP):
        output_rollback(o, &mark)
    output_detach(o)
    return ends


cdef void end_wait(Session* s, int why) noexcept nogil:
    """CLIENT UNBLOCK."""
    answer(s, UNBLOCKED if why else TIMED_OUT)

# ---------------------------------------------------------------- timeouts

cdef bint parse_timeout(Session* s, const Slice* arg, bint milliseconds, int64_t* deadline_ms) noexcept nogil:
    cdef long double seconds
    cdef int64_t ms
    if milliseconds:
        if not parse_int(arg.ptr, arg.len, &ms):
            fail(s, b"ERR timeout is not an integer or out of range")
            return False
    else:
        if not parse_long_double(arg.ptr, arg.len, &seconds):
            fail(s, b"ERR timeout is not a float or out of range")
            return False
        seconds = ceill(seconds * 1000)
        if seconds >= <long double>INT64_MAX:
            fail(s, b"ERR timeout is out of range")
            return False
        ms = <int64_t>seconds if seconds > -1 else -1
    if ms < 0:
        fail(s, b"ERR timeout is negative")
        return False
    if ms > INT64_MAX - s.engine.now_ms:
        fail(s, b"ERR timeout is out of range")
        return False
    deadline_ms[0] = ms + s.engine.now_ms if ms else 0
    return True

# ---------------------------------------------------------------- engines

cdef void blocking_begin(Engine* e) noexcept nogil:
    """Let an engine's sessions wait."""
    e.key_ready = key_ready
    e.serve_blocked = serve_blocked
    e.end_waits = end_waits
    e.block_due_ms = INT64_MAX


cdef void blocking_end(Engine* e) noexcept nogil:
    """Free what is left; no session waits any more."""
    cdef Blocking* b = <Blocking*>e.blocking
    cdef WaitedKey* k
    if b != NULL:
        while b.ready != NULL:
            k = b.ready
            b.ready = k.next_ready
            free(k)
        free(b.keys.places)
        free(b.deadlines)
        free(b)
        e.blocking = NULL

on_session_end(leave)
