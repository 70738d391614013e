"""The engine's timers: active expiry, compaction, and the tick.

Nothing here runs for long: each job works in slices of about a millisecond and keeps to a share of
the time. An engine with nothing to do asks for no wake-up.

Active expiry walks the segments; a segment says when its earliest key expires, so a walk passes
over all that are not due without looking at their entries. A round over one database ends with the
earliest expiry left in it, and the next round begins when that has come.

Compaction follows a large delete: entries that lie in sparse chunks move to fuller ones, until the
chunks they leave are empty and their pages go back to the system.
"""

from libc.stdint cimport INT64_MAX, int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy
from minikv_core.arena cimport (
    arena_alloc, arena_at, arena_free, arena_size, arena_slack, arena_sparse, arena_trim, undo_note,
)
from minikv_core.clock cimport monotonic_us, ticks
from minikv_core.engine cimport *
from minikv_core.entry cimport Block, Entry, EntryView, entry_expiry, entry_key, entry_view
from minikv_core.eviction cimport evict_if_needed, note_peak
from minikv_core.hash cimport hash_bytes
from minikv_core.keyspace cimport Found, expire_key, kind_ops, note_latency
from minikv_core.lazyfree cimport lazyfree_step
from minikv_core.memory cimport ctz, load_u32, store_u32
from minikv_core.output cimport FIRST_BYTES, NODE_BYTES, output_pending
from minikv_core.parser cimport parser_big_bytes
from minikv_core.session cimport (
    INBOX_BYTES, check_output_limit, count_memory, evict_sessions, holds_block, refresh_clock, session_close, unread_big,
)
from minikv_core.table cimport (
    ALL_SLOTS, BUCKETS, ROOM, Bucket, Segment, match_tags, table_due, table_find_ref, table_next_segment,
    table_relocate,
)
from minikv_core.timing cimport calibrate
from minikv_core.types cimport FORM_BLOCK, HASH, Ref, Slice

cdef enum:
    SLICE_US = 1000             # longest run of one job
    ROUND_US = 10000            # least time between two rounds of expiry over a database
    IDLE_TICK_US = 1000000      # between ticks of an engine that serves nobody actively
    FREE_AT_ONCE = 4096         # objects freed between two looks at the clock
    TRIM_BYTES = 8 << 20        # given back to the system in one tick
    COMPACT_SLACK = 1 << 20     # bytes of slack below which compaction is not worth it
    SESSIONS_A_TICK = 200       # with dynamic-hz
    HZ_MAX = 500

cdef int64_t engine_timers(Engine* e) noexcept nogil:
    cdef int64_t now = monotonic_us(), wait, next_due = INT64_MAX
    if not e.keeps_store:
        return session_timers(e, now)
    if e.block_due_ms != INT64_MAX:
        refresh_clock(e)
        if e.block_due_ms <= e.now_ms:
            e.end_waits(e)
        if e.block_due_ms - e.now_ms < 86400000:
            next_due = now + (e.block_due_ms - e.now_ms) * 1000
        elif e.block_due_ms != INT64_MAX:
            next_due = now + <int64_t>86400000000
    if e.root.free_queue:
        while lazyfree_step(e, FREE_AT_ONCE):
            if monotonic_us() - now > SLICE_US:
                break
        if e.root.free_queue:
            next_due = 0
    if e.resting and e.stats.commands != e.commands_at_tick:
        e.resting = False
        if e.cron_due_us - now > 1000000 // current_hz(e):
            e.cron_due_us = now + 1000000 // current_hz(e)
    if now >= e.cron_due_us:
        if e.config.cron_paused:
            e.cron_due_us = now + IDLE_TICK_US
        else:
            tick(e, now)
            e.stats.cron_us += <uint64_t>(monotonic_us() - now)
    if e.cron_due_us < next_due:
        next_due = e.cron_due_us
    wait = expire_slice(e, now)
    if wait < next_due:
        next_due = wait
    if e.compacting:
        if now >= e.compact_due_us:
            compact_slice(e, now)
        if e.compacting and e.compact_due_us < next_due:
            next_due = e.compact_due_us
    if e.ready_keys:                    # by an expiry, or since the end of a pause
        e.now_ticks = ticks()
        e.serve_blocked(e)
    e.wakes_ms = INT64_MAX
    if next_due == INT64_MAX:
        return -1
    now = monotonic_us()
    wait = next_due - now if next_due > now else 0
    e.wakes_ms = e.now_ms + wait // 1000
    return wait

cdef int64_t session_timers(Engine* e, int64_t now) noexcept nogil:
    """The timers of a process whose master looks after the store."""
    if now >= e.cron_due_us:
        refresh_clock(e)
        calibrate(e)
        look_after_sessions(e)
        if e.config.maxmemory_clients:
            evict_sessions(e)
        if e.gate & GATE_PAUSED and e.pause_until_ms <= e.now_ms and e.end_pause != NULL:
            e.end_pause(e)
        e.cron_due_us = now + (1000000 // e.config.hz if e.gate & GATE_PAUSED else IDLE_TICK_US)
    return e.cron_due_us - now

cdef void engine_alarm(Engine* e) noexcept nogil:
    """Wake the worker that runs the timers if it sleeps past the time at which they have work.

    Between two rounds of expiry it is left alone.
    """
    cdef bint soon = e.cron_due_us == 0 or e.root.free_queue or (e.resting and e.stats.commands != e.commands_at_tick)
    cdef uint32_t i
    if e.timekeeper == NULL:
        return
    if e.wakes_ms - e.now_ms <= ROUND_US // 1000 and not e.stopping and e.block_due_ms >= e.wakes_ms:
        return
    if e.config.active_expire and e.gate & GATE_PAUSED == 0:
        for i in range(e.database_count):
            soon = soon or e.databases[i].next_expiry < e.wakes_ms
    if soon or e.stopping or e.block_due_ms < e.wakes_ms:
        e.wakes_ms = 0
        e.timekeeper.wake(e.timekeeper)

# ---------------------------------------------------------------- tick

cdef int64_t current_hz(const Engine* e) noexcept nogil:
    cdef int64_t hz = e.config.hz
    while e.config.dynamic_hz and e.session_count // hz > SESSIONS_A_TICK and hz < HZ_MAX:
        hz = hz * 2 if hz * 2 < HZ_MAX else <int64_t>HZ_MAX
    return hz

cdef void tick(Engine* e, int64_t now) noexcept nogil:
    cdef int64_t period = 1000000 // current_hz(e)
    cdef bint idle = e.stats.commands == e.commands_at_tick
    refresh_clock(e)
    calibrate(e)
    note_peak(e)
    sample_rates(e, now)
    look_after_sessions(e)
    if e.config.maxmemory_clients:
        evict_sessions(e)
    if e.gate & GATE_MAXMEMORY:
        evict_if_needed(e)
    if e.gate & GATE_PAUSED and e.pause_until_ms <= e.now_ms and e.end_pause != NULL:
        e.end_pause(e)
    give_back(e)
    e.ticks_done += 1
    e.commands_at_tick = e.stats.commands
    e.resting = False
    if e.gate & GATE_PAUSED == 0 and idle:
        # what goes on by itself still wants ticks: memory to give back, sessions to look at
        if e.session_count == 0 and e.arena.head.resident - e.arena.head.used < COMPACT_SLACK:
            e.cron_due_us = INT64_MAX
            e.resting = True
            return
        if period < IDLE_TICK_US and not trimming(e):
            period = IDLE_TICK_US
            e.resting = True
    e.cron_due_us = now + period

cdef void sample_rate(Rate* r, uint64_t value, uint64_t base, int64_t now) noexcept nogil:
    cdef double passed = <double>base if base else <double>(now - r.last_us) / 1000000.0
    if passed > 0:
        r.samples[r.taken & 15] = <double>(value - r.last) / passed if value >= r.last else 0.0
        r.taken += 1
    r.last = value
    r.last_us = now

cdef void sample_rates(Engine* e, int64_t now) noexcept nogil:
    cdef uint64_t loops = e.stats.loops - e.board.rates[<int>RATE_LOOPS].last
    if now - e.board.rates[<int>RATE_COMMANDS].last_us < 100000:
        return
    sample_rate(&e.board.rates[<int>RATE_COMMANDS], e.stats.commands, 0, now)
    sample_rate(&e.board.rates[<int>RATE_INPUT], e.stats.net_input, 0, now)
    sample_rate(&e.board.rates[<int>RATE_OUTPUT], e.stats.net_output, 0, now)
    sample_rate(&e.board.rates[<int>RATE_LOOP_US], e.stats.loop_us, loops if loops else 1, now)
    sample_rate(&e.board.rates[<int>RATE_LOOPS], e.stats.loops, 0, now)

cdef void look_after_sessions(Engine* e) noexcept nogil:
    """Look at a share of the sessions, so that each has its turn about once a second."""
    cdef uint32_t left = e.session_count // <uint32_t>current_hz(e)
    cdef Session* s = e.cron_session
    cdef Session* following
    if left < 16:
        left = 16
    if left > e.session_count or e.commands_at_tick == e.stats.commands:
        left = e.session_count          # an idle engine ticks once a second
    while left:
        if s == NULL:
            s = e.sessions
            if s == NULL:
                break
        following = s.next
        look_after(s)
        s = following
        left -= 1
    e.cron_session = s

cdef void look_after(Session* s) noexcept nogil:
    """Its idle timeout, its soft output limit, and buffers larger than it needs."""
    cdef Engine* e = s.engine
    cdef size_t room
    cdef char* smaller
    cdef int64_t idle = (e.now_ms - s.active_ms) // 1000
    if e.config.timeout and idle > e.config.timeout and s.flags & (IS_PUBSUB | IS_MONITOR) == 0 \
            and (s.gate & WAITING == 0 or s.flags & IS_PAUSED):
        session_close(s, False)
        return
    if s.worker.resting:                # its arguments may lie in the inbox
        return
    # the room for an argument of which little has come goes back
    if idle > 2 and s.parser.big and parser_big_bytes(&s.parser) <= INBOX_BYTES and not holds_block(&s.parser):
        unread_big(s)
    # an inbox that has been idle, or is far larger than lately needed, goes back
    if s.inbox_room and (idle > 2 or (s.inbox_room > 32768 and s.inbox_peak * 2 < s.inbox_room)):
        room = s.inbox_len
        if idle <= 2 and room < s.inbox_peak:
            room = s.inbox_peak
        if room == 0 and idle > 2:
            free(s.inbox)
            s.inbox = NULL
            s.inbox_room = 0
        else:
            smaller = <char*>realloc(s.inbox, room if room else 1)
            if smaller != NULL:
                s.inbox = smaller
                s.inbox_room = room if room else 1
    s.inbox_peak = s.inbox_len
    if e.config.reply_resizing:
        fit_reply_room(s)
    check_output_limit(s)
    count_memory(s)

cdef void fit_reply_room(Session* s) noexcept nogil:
    """Let the queue's first node be as large as the replies lately were."""
    cdef Engine* e = s.engine
    cdef uint64_t seen = s.net_output - s.looked_output + output_pending(&s.out)
    cdef uint32_t bytes = <uint32_t>seen if seen < NODE_BYTES else <uint32_t>NODE_BYTES
    s.looked_output = s.net_output
    if e.config.reply_peak_reset >= 0 and e.now_ms - s.reply_peak_ms > e.config.reply_peak_reset:
        s.reply_peak = 0
        s.reply_peak_ms = e.now_ms
    if bytes > s.reply_peak:
        s.reply_peak = bytes
    if s.reply_peak > s.out.first_room:
        s.out.first_room = NODE_BYTES if s.reply_peak > NODE_BYTES // 2 else s.reply_peak * 2
        e.stats.reply_expands += 1
    elif s.out.first_room > FIRST_BYTES and s.reply_peak < s.out.first_room // 4:
        s.out.first_room = FIRST_BYTES if s.reply_peak < FIRST_BYTES else s.reply_peak
        e.stats.reply_shrinks += 1

# ---------------------------------------------------------------- expiry

cdef int64_t expire_slice(Engine* e, int64_t now) noexcept nogil:
    """Expire what is due; returns the monotonic time at which it wants to go on."""
    cdef Database* db
    cdef int64_t earliest = INT64_MAX, spent, share
    cdef uint32_t i
    cdef bint finished = True
    if not e.config.active_expire or e.gate & GATE_PAUSED:
        return INT64_MAX
    if now >= e.expire_due_us:
        refresh_clock(e)
        for i in range(e.database_count):
            db = &e.databases[i]
            if db.expire_position or db.next_expiry < e.now_ms:
                if not expire_round(e, db, now):
                    finished = False
                    break
        spent = monotonic_us() - now
        e.stats.expire_cycle_us += <uint64_t>spent
        note_latency(e, b"expire-cycle", spent)
        if finished:
            e.expire_due_us = now + ROUND_US
        else:
            # a quarter of the time, a little more with more effort
            share = 25 + 2 * (e.config.active_expire_effort - 1)
            e.stats.expire_time_caps += 1
            e.expire_due_us = now + spent * 100 // share
            return e.expire_due_us
    for i in range(e.database_count):
        if e.databases[i].next_expiry < earliest:
            earliest = e.databases[i].next_expiry
        if e.databases[i].expire_position:
            return e.expire_due_us
    if earliest == INT64_MAX:
        return INT64_MAX
    # one past its time: a key lives until its very millisecond has gone by
    spent = now + (earliest + 1) * 1000 - e.now_us if earliest - e.now_ms < 86400000 else now + <int64_t>86400000000
    return spent if spent > e.expire_due_us else e.expire_due_us

cdef bint expire_round(Engine* e, Database* db, int64_t start) noexcept nogil:
    """Go on with a walk over the segments; True when it has come to its end."""
    cdef Segment* segment
    undo_note(&e.arena, db, sizeof(Database))
    if db.expire_position == 0:
        db.expire_minimum = INT64_MAX
        db.next_expiry = INT64_MAX      # expiries set from now on are noted here again
    while True:
        segment = table_next_segment(&e.arena, &db.keys, &db.expire_position)
        if segment == NULL:
            break
        if segment.next_expiry < e.now_ms:
            expire_segment(e, db, segment)
            if monotonic_us() - start > SLICE_US:
                return False
        elif segment.next_expiry < db.expire_minimum:
            db.expire_minimum = segment.next_expiry
    db.expire_position = 0
    if db.expire_minimum < db.next_expiry:
        db.next_expiry = db.expire_minimum
    return True

cdef void expire_segment(Engine* e, Database* db, Segment* segment) noexcept nogil:
    cdef Ref[ROOM] due
    cdef int64_t at
    cdef uint32_t i
    cdef Found f
    cdef Slice key
    cdef uint32_t n = table_due(&e.arena, &db.keys, segment, e.now_ms, due)
    if segment.next_expiry < db.expire_minimum:
        db.expire_minimum = segment.next_expiry
    for i in range(n):
        f.ref = due[i]
        f.entry = <Entry*>arena_at(&e.arena, f.ref)
        key.ptr = entry_key(f.entry, &key.len)
        key.block = 0
        f.hash = hash_bytes(&e.arena.head.seed, key.ptr, key.len)
        if not table_find_ref(&e.arena, &db.keys, f.hash, f.ref, &f.slot):
            continue
        at = entry_expiry(f.entry)
        if 0 <= at < e.now_ms:
            e.stats.expired_in_cron += 1
            expire_key(e, db, &key, &f)
        else:
            e.stats.expired_fields_in_cron += kind_ops(HASH).expire_fields(e, db, &key, &f)

# ---------------------------------------------------------------- memory

cdef uint64_t dirty_bytes(const Engine* e) noexcept nogil:
    """Bytes that are resident and in no object, beyond a sixteenth kept for the next allocations."""
    cdef uint64_t spare = e.arena.head.resident - e.arena.head.used
    cdef uint64_t keep = e.arena.head.used // 16
    return spare - keep if spare > keep else 0

cdef bint trimming(const Engine* e) noexcept nogil:
    return e.compacting or dirty_bytes(e) > COMPACT_SLACK

cdef void give_back(Engine* e) noexcept nogil:
    cdef size_t slack
    if dirty_bytes(e) < COMPACT_SLACK:
        return
    arena_trim(&e.arena, TRIM_BYTES)
    if not e.compacting:
        slack = arena_slack(&e.arena)
        if slack > COMPACT_SLACK and slack > e.arena.head.used // 8:
            e.compacting = True
            e.compact_position = 0
            e.compact_database = 0

cdef void compact_slice(Engine* e, int64_t start) noexcept nogil:
    """Go on with one walk over all entries, moving those in sparse chunks."""
    cdef Segment* segment
    while e.compact_database < e.database_count:
        segment = table_next_segment(&e.arena, &e.databases[e.compact_database].keys, &e.compact_position)
        if segment == NULL:
            e.compact_database += 1
            e.compact_position = 0
            continue
        compact_segment(e, table_relocate(&e.arena, &e.databases[e.compact_database].keys, segment))
        if monotonic_us() - start > SLICE_US:
            e.compact_due_us = start + 4 * SLICE_US     # a quarter of the time
            return
    e.compacting = False

cdef Ref moved(Engine* e, Ref ref) noexcept nogil:
    """Move an object to a fuller chunk; returns where it is now."""
    cdef size_t n = arena_size(&e.arena, ref)
    cdef Ref other = arena_alloc(&e.arena, n)
    if other == 0:
        return ref
    memcpy(arena_at(&e.arena, other), arena_at(&e.arena, ref), n)
    arena_free(&e.arena, ref)
    return other

cdef void compact_segment(Engine* e, Segment* segment) noexcept nogil:
    cdef uint32_t i, slot, mask
    cdef Bucket* b
    cdef Entry* entry
    cdef EntryView v
    cdef Ref block
    for i in range(<uint32_t>BUCKETS):
        b = &segment.buckets[i]
        mask = ~match_tags(b.tags, 0) & ALL_SLOTS
        while mask:
            slot = ctz(mask)
            mask &= mask - 1
            if arena_sparse(&e.arena, b.refs[slot]):
                undo_note(&e.arena, b, sizeof(Bucket))
                b.refs[slot] = moved(e, b.refs[slot])
            entry = <Entry*>arena_at(&e.arena, b.refs[slot])
            entry_view(entry, &v)
            if v.form == FORM_BLOCK:
                block = load_u32(v.value)
                if (<Block*>arena_at(&e.arena, block)).holders == 1 and arena_sparse(&e.arena, block):
                    undo_note(&e.arena, v.value, sizeof(Ref))
                    store_u32(v.value, moved(e, block))
