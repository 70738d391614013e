"""Sessions: from bytes to commands to replies, without any I/O.

Requests are taken in batches. A batch is parsed, its names are looked up and its keys hashed, the
cache lines they need are asked for, and only then it runs: with many keys the memory's latency is
paid once per batch and not once per key.

Whatever needs a closer look before a command (authentication, MULTI, subscribers, limits, pauses)
is a bit in Session.gate or Engine.gate; with no bit set a command runs at once.
"""

from libc.stdint cimport INT64_MAX, int64_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp, memcpy, memmove, memset, strlen, strncmp
from minikv_core.arena cimport arena_free
from minikv_core.board cimport client_bytes_of
from minikv_core.clock cimport ticks, wall_us
from minikv_core.engine cimport *
from minikv_core.eviction cimport evict_if_needed
from minikv_core.hash cimport hash_bytes
from minikv_core.memory cimport clz64, likely, same_bytes, unlikely
from minikv_core.output cimport (
    SCRATCH_BYTES, SCRATCH_LEAST, OutMark, OutNode, Output, output_attach, output_detach, output_free,
    output_init, output_mark, output_move, output_pending, output_put, output_rollback,
    output_spill,
)
from minikv_core.parser cimport (
    PARSE_ERROR, PARSE_FULL, PARSE_NO_MEMORY, Batch, Limits, Parser, ParseStatus, Request, parse_batch,
    parser_big_bytes, parser_big_filled, parser_big_room, parser_free, parser_init, parser_unread,
)
from minikv_core.registry cimport find_command, name_word
from minikv_core.reply cimport reply_error
from minikv_core.table cimport table_prefetch_bucket, table_prefetch_entry
from minikv_core.timing cimport report_slow, ticks_us
from minikv_core.types cimport BAD_INT, BAD_TIME, BLOCKED, FAILED, NO_MEMORY, OK, Slice, Status

cdef enum:
    UNCOUNTED_BYTES = 16384     # output owed up to this is in no limit's count, as in Redis
    MAX_HOOKS = 8
    MAX_ERROR_CODES = 128

cdef SessionHook[8] end_hooks       # set at import, before any session exists
cdef int end_hook_count = 0
cdef SessionHook queue_hook = NULL
cdef SessionHook discard_hook = NULL

cdef void on_session_end(SessionHook hook) noexcept nogil:
    global end_hook_count
    end_hooks[end_hook_count] = hook
    end_hook_count += 1

cdef void on_queue(SessionHook queue, SessionHook discard) noexcept nogil:
    global queue_hook, discard_hook
    queue_hook = queue
    discard_hook = discard

# ---------------------------------------------------------------- life

cdef Session* session_new(Worker* w, int fd, uint32_t flags) noexcept nogil:
    cdef Engine* e = w.engine
    cdef Session* s = <Session*>calloc(1, sizeof(Session))
    if s == NULL:
        return NULL
    s.engine = e
    s.worker = w
    s.fd = fd
    s.flags = flags
    s.id = e.board.next_session_id
    e.board.next_session_id += 1
    s.db = &e.databases[0]
    s.created_ms = s.active_ms = e.now_ms
    if e.config.requires_auth and flags & IS_INTERNAL == 0:
        s.gate = NEED_AUTH
    output_init(&s.out, &e.arena)
    parser_init(&s.parser)
    s.next = e.sessions
    if e.sessions != NULL:
        e.sessions.previous = s
    e.sessions = s
    e.session_count += flags & IS_INTERNAL == 0
    if e.cron_due_us == INT64_MAX:
        e.cron_due_us = 0               # nobody was there to be looked after
    count_memory(s)
    return s

cdef void session_free(Session* s) noexcept nogil:
    session_release(s)
    free(s)

cdef void session_release(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Session** link = &s.worker.ready
    run_end_hooks(s)
    if s.flags & IS_PAUSED:
        e.blocked -= 1
    if s.flags & IN_READY:
        while link[0] != s:
            link = &link[0].next_ready
        link[0] = s.next_ready
    if s.previous != NULL:
        s.previous.next = s.next
    else:
        e.sessions = s.next
    if s.next != NULL:
        s.next.previous = s.previous
    if e.cron_session == s:
        e.cron_session = s.next
    e.session_count -= s.flags & IS_INTERNAL == 0
    e.client_bytes -= s.counted
    parser_free(&s.parser, &e.arena)
    output_free(&s.out)
    if s.pushes != NULL:
        output_free(s.pushes)
        free(s.pushes)
    free(s.inbox)
    free(s.name)
    free(s.lib_name)
    free(s.lib_version)
    free(s.peer)

cdef inline bint must_authenticate(const Session* s) noexcept nogil:
    """Whether a password is missing, and still asked for."""
    return s.gate & NEED_AUTH and s.engine.config.requires_auth

cdef void run_end_hooks(Session* s) noexcept nogil:
    cdef int i
    for i in range(end_hook_count):
        end_hooks[i](s)

cdef void session_reset(Session* s) noexcept nogil:
    run_end_hooks(s)
    free(s.name)
    s.name = NULL
    s.flags &= ~<uint32_t>(IS_NO_EVICT | IS_NO_TOUCH)
    s.gate &= ~<uint32_t>(REPLY_OFF | REPLY_SKIP_NEXT)
    if s.engine.config.requires_auth and s.flags & IS_INTERNAL == 0:
        s.gate |= NEED_AUTH
    s.out.protocol = 2
    select_database(s, 0)

cdef void select_database(Session* s, uint32_t index) noexcept nogil:
    s.db = &s.engine.databases[index]

cdef size_t session_memory(Session* s) noexcept nogil:
    return (sizeof(Session) + s.inbox_room + s.out.held + (s.pushes.held if s.pushes != NULL else 0)
            + s.queued_bytes + s.state_bytes + s.parser.room * sizeof(Slice) + parser_big_bytes(&s.parser))

cdef void count_memory(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef size_t now = session_memory(s)
    cdef bint grown = now > s.counted
    e.client_bytes += now - s.counted
    s.counted = now
    if unlikely(grown and e.config.maxmemory_clients):
        evict_sessions(e)

cdef void evict_sessions(Engine* e) noexcept nogil:
    """Close those that hold most until all others together are within maxmemory-clients."""
    cdef int64_t limit = e.config.maxmemory_clients
    cdef uint64_t held
    cdef Session* s
    cdef Session* largest
    if limit < 0:
        limit = -limit * e.config.maxmemory // 100
    while limit and client_bytes_of(e) > <uint64_t>limit:
        held = 0
        largest = NULL
        s = e.sessions
        while s != NULL:
            if s.gate & CLOSE_NOW == 0:
                held += s.counted
                if s.flags & (IS_NO_EVICT | IS_INTERNAL) == 0 and (largest == NULL or s.counted > largest.counted):
                    largest = s
            s = s.next
        if held <= <uint64_t>limit or largest == NULL:
            return
        e.stats.evicted_clients += 1
        session_close(largest, False)
        if largest.worker == e.active and largest.flags & IS_LENT == 0:     # else somebody may be sending from them
            drop_buffers(largest)

cdef void drop_buffers(Session* s) noexcept nogil:
    """Free now what a session that is to close has buffered; the rest goes with the session."""
    output_free(&s.out)
    free(s.inbox)
    s.inbox = NULL
    s.inbox_len = s.inbox_room = 0
    parser_free(&s.parser, &s.engine.arena)
    count_memory(s)

# ---------------------------------------------------------------- input

cdef void refresh_clock(Engine* e) noexcept nogil:
    e.now_us = wall_us()
    e.now_ms = e.now_us // 1000
    e.lru_clock = <uint32_t>(e.now_ms // 1000) & 0xFFFFFF
    e.lfu_clock = <uint32_t>(e.now_ms // 60000) & 0xFFFF

cdef bint inbox_reserve(Session* s, size_t n) noexcept nogil:
    """Give the inbox room for n more bytes."""
    cdef size_t room = s.inbox_len + n
    cdef char* grown
    if room <= s.inbox_room:
        return True
    if room < INBOX_BYTES:
        room = INBOX_BYTES
    elif room < s.inbox_room * 2:
        room = s.inbox_room * 2
    grown = <char*>realloc(s.inbox, room)
    if grown == NULL:
        session_close(s, False)
        return False
    s.inbox = grown
    s.inbox_room = room
    return True

cdef bint inbox_append(Session* s, const char* p, size_t n) noexcept nogil:
    if n == 0:
        return True
    if not inbox_reserve(s, n):
        return False
    memcpy(s.inbox + s.inbox_len, p, n)
    s.inbox_len += n
    return True

cdef char* session_receive_room(Session* s, size_t* n) noexcept nogil:
    cdef char* room = parser_big_room(&s.parser, &s.engine.arena, n)
    if room != NULL:
        return room
    if s.inbox_len == 0 or not inbox_reserve(s, INBOX_BYTES):
        return NULL
    n[0] = s.inbox_room - s.inbox_len
    return s.inbox + s.inbox_len

cdef void session_received(Session* s, size_t n) noexcept nogil:
    cdef size_t room
    cdef char* big = parser_big_room(&s.parser, &s.engine.arena, &room)
    begin_feed(s, n)
    if big != NULL:
        parser_big_filled(&s.parser, n)
        if over_query_limit(s) or n < room:
            count_memory(s)
            return
    else:
        s.inbox_len += n
    run_inbox(s)

cdef void session_feed(Session* s, char* bytes, size_t n) noexcept nogil:
    cdef size_t room
    cdef char* big
    begin_feed(s, n)
    big = parser_big_room(&s.parser, &s.engine.arena, &room)
    if big != NULL:
        if room > n:
            room = n
        memcpy(big, bytes, room)
        parser_big_filled(&s.parser, room)
        bytes += room
        n -= room
        if over_query_limit(s) or parser_big_room(&s.parser, &s.engine.arena, &room) != NULL:
            count_memory(s)
            return
    if s.inbox_len or big != NULL or s.gate & STOP:
        if inbox_append(s, bytes, n):
            run_inbox(s)
    else:
        run_input(s, bytes, n)
        count_memory(s)

cdef void session_resume(Session* s) noexcept nogil:
    s.flags &= ~<uint32_t>TO_RESUME
    begin_feed(s, 0)
    run_inbox(s)

cdef void begin_feed(Session* s, size_t n) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Worker* w = s.worker
    s.active_ms = e.now_ms
    s.net_input += n
    e.stats.net_input += n
    if s.out.base != NULL:      # still held since another feed of this turn
        output_spill(&s.out)
    session_take_pushes(s)      # the reply that it has waited for may be among them
    output_attach(&s.out, w.scratch + w.scratch_used, SCRATCH_BYTES - w.scratch_used)

cdef void run_inbox(Session* s) noexcept nogil:
    if s.inbox_len > s.inbox_peak:
        s.inbox_peak = s.inbox_len
    if s.gate & STOP == 0:
        run_input(s, s.inbox, s.inbox_len)
    over_query_limit(s)
    count_memory(s)

cdef bint over_query_limit(Session* s) noexcept nogil:
    """Close a session that has sent more of a request than client-query-buffer-limit allows."""
    if <int64_t>s.inbox_len + <int64_t>parser_big_bytes(&s.parser) <= s.engine.config.client_query_buffer_limit:
        return False
    s.engine.stats.query_limit_disconnections += 1
    session_close(s, False)
    return True

cdef void keep_input(Session* s, char* p, size_t n) noexcept nogil:
    """Make [p, p + n) the inbox; p lies in the inbox itself or in the model's buffer."""
    cdef char* old = s.inbox
    if s.inbox_len and old <= p <= old + s.inbox_len:
        memmove(old, p, n)
        s.inbox_len = n
    else:
        s.inbox_len = 0
        inbox_append(s, p, n)

cdef void hold_back(Session* s, Batch* batch, uint32_t first, const char* p, size_t end) noexcept nogil:
    """Make the inbox what must not run now, to be parsed again.

    It is written anew: large arguments lie in blocks, and inline requests were unquoted in place.

    first    request of the batch to begin with
    p, end   the bytes that the batch was parsed from; what it left of them follows its requests
    """
    cdef char[32] head
    cdef char* old = s.inbox            # may be what was parsed: it stays until all is copied
    cdef size_t left = batch.requests[batch.count - 1].end
    cdef Request* r
    cdef Slice* arg
    cdef uint32_t i, j
    s.inbox = NULL
    s.inbox_len = s.inbox_room = 0
    for i in range(first, batch.count):
        r = &batch.requests[i]
        inbox_append(s, head, snprintf(head, sizeof(head), b"*%u\r\n", r.argc))
        for j in range(r.argc):
            arg = &batch.slices[r.first + j]
            inbox_append(s, head, snprintf(head, sizeof(head), b"$%u\r\n", arg.len))
            inbox_append(s, arg.ptr, arg.len)
            inbox_append(s, b"\r\n", 2)
    inbox_append(s, p + left, end - left)
    free(old)
    unread_big(s)

cdef void unread_big(Session* s) noexcept nogil:
    """Take the request in progress back to its bytes in the inbox, those of a big argument behind the others."""
    cdef size_t n = parser_big_bytes(&s.parser)
    if n and inbox_reserve(s, n):
        parser_unread(&s.parser, &s.engine.arena, s.inbox + s.inbox_len)
        s.inbox_len += n
    else:
        parser_free(&s.parser, &s.engine.arena)

cdef bint holds_block(const Parser* p) noexcept nogil:
    """Whether an earlier argument of the request in progress is a big one: unread_big would lose it."""
    cdef uint32_t i
    for i in range(p.argc):
        if p.args[i].block:
            return True
    return False

cdef void run_input(Session* s, char* p, size_t n) noexcept nogil:
    """Parse and run what is whole in p[0:n); the rest becomes the inbox."""
    cdef Engine* e = s.engine
    cdef Batch* batch = &s.worker.batch
    cdef Limits limits
    cdef size_t begin, end
    cdef const char* error = NULL
    cdef ParseStatus status
    cdef Request* r
    cdef uint32_t i
    while True:
        limits.bulk = e.config.proto_max_bulk_len
        limits.authenticated = not must_authenticate(s)
        status = parse_batch(&s.parser, &e.arena, &limits, p, n, batch, &begin, &end, &error)
        prepare_batch(s, batch)
        e.now_ticks = ticks()
        for i in range(batch.count):
            r = &batch.requests[i]
            s.argv = batch.slices + r.first
            s.argc = r.argc
            s.command = <Command*>r.command
            s.hash = r.hash
            if likely(s.gate | e.gate == 0 and s.command != NULL and s.command.fn != NULL
                      and arity_fits(s.command, s.argc)):
                call(s)
            elif not run_gated(s):      # CLIENT PAUSE
                hold_back(s, batch, i, p, end)
                free_blocks(s)
                return
            if i == 0:
                free_blocks(s)
            if unlikely(s.gate & STOP):
                if s.gate & (CLOSE_AFTER | CLOSE_NOW):
                    s.inbox_len = 0
                else:
                    hold_back(s, batch, i + 1, p, end)
                return
        if unlikely(output_pending(&s.out) > UNCOUNTED_BYTES):
            check_output_limit(s)       # before it is sent: as in Redis, the client gets nothing
            if s.gate & CLOSE_NOW:
                s.inbox_len = 0
                return
        if status == PARSE_FULL:
            p += begin
            n -= begin
            continue
        if unlikely(status == PARSE_ERROR):
            protocol_error(s, error)
        elif unlikely(status == PARSE_NO_MEMORY):
            fail_status(s, NO_MEMORY)
            session_close(s, True)
        if s.inbox_len and begin == end:
            s.inbox_len = 0
        elif begin != end and not (p == s.inbox and begin == 0 and end == s.inbox_len):
            keep_input(s, p + begin, end - begin)
        return

cdef void protocol_error(Session* s, const char* what) noexcept nogil:
    cdef char text[160]
    snprintf(text, sizeof(text), b"ERR Protocol error: %s", what)
    fail(s, text)
    session_close(s, True)

cdef inline bint arity_fits(const Command* c, uint32_t argc) noexcept nogil:
    return <int64_t>argc == c.arity if c.arity >= 0 else <int64_t>argc >= -c.arity

cdef void prepare_batch(Session* s, Batch* batch) noexcept nogil:
    """Look up the commands, hash the keys, and ask for the cache lines that they will touch."""
    cdef Engine* e = s.engine
    cdef Request* r
    cdef Slice* argv
    cdef Slice* key
    cdef Slice* last_key = NULL
    cdef Command* c = NULL
    cdef uint64_t word = 0, last_word = 0, hash = 0
    cdef uint32_t i, last_len = 0       # of the name before, if it says all about the command
    for i in range(batch.count):
        r = &batch.requests[i]
        argv = batch.slices + r.first
        word = name_word(argv.ptr, argv.len)
        if word != last_word or argv.len != last_len:       # pipelines repeat themselves
            c = find_command(argv, r.argc)
            last_word = word
            last_len = argv.len if c != NULL and c.children == NULL and c.parent == NULL and argv.len <= 8 else 0
        r.command = c
        r.hash = 0
        if c == NULL or c.first_key <= 0 or r.argc <= <uint32_t>c.first_key:
            continue
        key = &argv[c.first_key]
        if last_key == NULL or key.len != last_key.len or not same_bytes(key.ptr, last_key.ptr, key.len):
            hash = hash_bytes(&e.arena.head.seed, key.ptr, key.len)
            table_prefetch_bucket(&e.arena, &s.db.keys, hash)
            last_key = key
        r.hash = hash
    if batch.count > 1:
        hash = 0
        for i in range(batch.count):
            if batch.requests[i].hash and batch.requests[i].hash != hash:
                hash = batch.requests[i].hash
                table_prefetch_entry(&e.arena, &s.db.keys, hash)

cdef void free_blocks(Session* s) noexcept nogil:
    """Free the large arguments that the command has not taken over."""
    cdef uint32_t i
    for i in range(s.argc):
        if unlikely(s.argv[i].block):
            arena_free(&s.engine.arena, s.argv[i].block)
            s.argv[i].block = 0

# ---------------------------------------------------------------- running a command

cdef inline Status call(Session* s) noexcept nogil:
    """Run s.command and account for it."""
    cdef Engine* e = s.engine
    cdef Command* c = s.command
    cdef CommandCounters* n
    cdef Session* outer = e.current
    cdef uint64_t start = e.now_ticks, took, us
    cdef int slot
    cdef Status status
    e.current = s
    e.depth += 1
    status = c.fn(s)
    e.depth -= 1
    e.current = outer
    e.now_ticks = ticks()
    took = e.now_ticks - start
    n = &e.counters[c.id]
    n.calls += 1
    n.ticks += took
    us = ticks_us(e, took)
    slot = 64 - clz64(us << 1 | 1) - 1 if us < <uint64_t>0x40000000 else 31
    n.histogram[slot] += <uint32_t>e.config.latency_tracking
    e.stats.commands += 1
    s.commands += 1
    s.last_command = c
    if unlikely(status != OK):
        if status == FAILED:
            n.failed += 1
        elif status == BLOCKED:         # it counts when it ends
            n.calls -= 1
            n.histogram[slot] -= <uint32_t>e.config.latency_tracking
            e.stats.commands -= 1
            s.commands -= 1
            return status
    if unlikely(took >= e.slow_ticks):
        s.command = c
        report_slow(s, took)
    if unlikely(e.ready_keys) and e.depth == 0:
        e.serve_blocked(e)
    return status

cdef void set_request(Session* s, Slice* argv, uint32_t argc) noexcept nogil:
    """Make it the request that runs next."""
    cdef Command* c = find_command(argv, argc)
    s.argv = argv
    s.argc = argc
    s.command = c
    s.hash = 0
    if c != NULL and c.first_key > 0 and argc > <uint32_t>c.first_key:
        s.hash = hash_bytes(&s.engine.arena.head.seed, argv[c.first_key].ptr, argv[c.first_key].len)

cdef void session_run(Session* s, Slice* argv, uint32_t argc) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Slice* outer_argv = s.argv
    cdef uint32_t outer_argc = s.argc
    cdef Command* outer_command = s.command
    cdef uint64_t outer_hash = s.hash
    cdef OutMark mark
    cdef uint32_t mute
    set_request(s, argv, argc)
    if s.flags & IN_EXEC:
        mute = s.gate & (REPLY_OFF | REPLY_SKIP)
        if mute:
            output_mark(&s.out, &mark)
        call(s)
        if s.gate & TRACKING:
            e.track_read(s)
        if e.gate & GATE_MONITORS:
            show_monitors(s)
        if mute and s.gate & (REPLY_OFF | REPLY_SKIP):
            output_rollback(&s.out, &mark)
    else:
        refresh_clock(e)
        e.now_ticks = ticks()
        run_gated(s)
    s.argv = outer_argv
    s.argc = outer_argc
    s.command = outer_command
    s.hash = outer_hash

cdef Status session_retry(Session* s, Slice* argv, uint32_t argc) noexcept nogil:
    cdef Status status
    set_request(s, argv, argc)
    status = call(s)
    if s.gate & TRACKING:
        s.engine.track_read(s)
    return status

cdef bint run_gated(Session* s) noexcept nogil:
    """Run a command when some gate is set; False if it must wait (CLIENT PAUSE)."""
    cdef Engine* e = s.engine
    cdef OutMark mark
    cdef uint32_t mute
    if s.gate & REPLY_SKIP_NEXT:
        s.gate = (s.gate & ~<uint32_t>REPLY_SKIP_NEXT) | REPLY_SKIP
    mute = s.gate & (REPLY_OFF | REPLY_SKIP)
    if mute:
        output_mark(&s.out, &mark)
    if admit(s):
        s.last_command = s.command
        if e.gate & GATE_PAUSED and is_paused(s):
            if s.flags & IS_PAUSED == 0:
                s.flags |= IS_PAUSED
                e.blocked += 1
            session_wait(s)
            return False
        if s.gate & QUEUEING and s.command.flags & IN_MULTI == 0:
            queue_hook(s)
        else:
            call(s)
            if s.gate & TRACKING:
                e.track_read(s)
            if s.command.flags & RUNS_QUEUE:
                mute = 0                # it has taken back what was to be, command by command
            if e.gate & GATE_MONITORS:
                show_monitors(s)
    # CLIENT REPLY ON, run while muted, clears REPLY_OFF itself: then its reply stays
    if mute and (s.gate & (REPLY_OFF | REPLY_SKIP)):
        output_rollback(&s.out, &mark)
    if s.flags & IS_BLOCKED == 0:       # else it means the reply that will come
        s.gate &= ~<uint32_t>REPLY_SKIP
    session_take_pushes(s)
    return True

cdef void show_monitors(Session* s) noexcept nogil:
    """Tell MONITOR's clients of a command that has run, so that EXEC comes behind what it ran."""
    if s.command.flags & (SKIP_MONITOR | ADMIN) == 0:
        s.engine.on_monitor(s)

cdef void reject(Session* s) noexcept nogil:
    """Count a command that is refused before it runs, and spoil the transaction it was meant for."""
    if s.command != NULL:
        s.engine.counters[s.command.id].rejected += 1
    if s.gate & QUEUEING:
        s.flags |= DIRTY_EXEC

cdef void refuse(Session* s, const char* text) noexcept nogil:
    """Answer a known command that may not run."""
    cdef char reason[256]
    reject(s)
    if s.command.flags & RUNS_QUEUE:
        snprintf(reason, sizeof(reason), b"EXECABORT Transaction discarded because of: %s",
                 text + 4 if strncmp(text, b"ERR ", 4) == 0 else text)
        discard_hook(s)
        text = reason
    fail(s, text)

cdef bint admit(Session* s) noexcept nogil:
    """Whether the command may run now; else an error reply has been written."""
    cdef Engine* e = s.engine
    cdef Command* c = s.command
    cdef uint64_t flags
    cdef char text[192]
    if c == NULL or c.fn == NULL:
        reject(s)
        if c == NULL:
            fail_unknown(s)
        else:
            if s.argc < 2:
                fail_arity(s)
            else:
                fail_subcommand(s)
        return False
    if not arity_fits(c, s.argc):
        arity_text(c, text, sizeof(text))
        refuse(s, text)
        return False
    if must_authenticate(s) and c.flags & NO_AUTH == 0:
        refuse(s, b"NOAUTH Authentication required.")
        return False
    flags = c.flags
    if s.gate & QUEUEING:
        if flags & NO_MULTI:
            refuse(s, b"ERR Command not allowed inside a transaction")
            return False
        if flags & RUNS_QUEUE:
            flags |= s.queued_flags
    if e.gate & GATE_MAXMEMORY and not evict_if_needed(e) and flags & DENYOOM:
        refuse(s, b"OOM command not allowed when used memory > 'maxmemory'.")
        return False
    if s.gate & SUBSCRIBED and c.flags & IN_SUBSCRIBE == 0 and s.out.protocol == 2:
        snprintf(text, sizeof(text), b"ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / "
                 b"RESET are allowed in this context", c.name)
        refuse(s, text)
        return False
    if s.flags & IS_MONITOR and c.flags & (WRITE | READONLY | MAY_REPLICATE):
        refuse(s, b"ERR Replica can't interact with the keyspace")
        return False
    return True

cdef bint is_paused(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef uint64_t flags = s.command.flags
    if e.pause_until_ms <= e.now_ms:
        return False
    if flags & IN_PAUSE or s.flags & (IN_EXEC | IS_INTERNAL):
        return False
    if flags & RUNS_QUEUE:
        flags |= s.queued_flags
    elif s.gate & QUEUEING and not e.pause_all:
        return False                # queueing writes nothing
    return e.pause_all or (flags & (WRITE | MAY_REPLICATE)) != 0

# ---------------------------------------------------------------- output and closing

cdef void session_push(Session* s, const Output* message) noexcept nogil:
    cdef Output* o = &s.out
    cdef OutNode* node = message.head
    if s.gate & (CLOSE_AFTER | CLOSE_NOW):
        return
    if s.engine.current == s or s.worker != s.engine.active or s.gate & (REPLY_OFF | REPLY_SKIP):
        if s.pushes == NULL:
            s.pushes = <Output*>malloc(sizeof(Output))
            if s.pushes == NULL:
                s.out.broken = True
                return
            output_init(s.pushes, &s.engine.arena)
        o = s.pushes
    while node != NULL:
        output_put(o, <char*>(node + 1) + node.start, node.end - node.start)
        node = node.next
    output_put(o, message.base, <size_t>(message.pos - message.base))
    if s.engine.current != s:
        check_output_limit(s)
        session_make_ready(s)

cdef void session_take_pushes(Session* s) noexcept nogil:
    if s.pushes != NULL:
        output_move(&s.out, s.pushes)
        free(s.pushes)
        s.pushes = NULL

cdef void session_make_ready(Session* s) noexcept nogil:
    cdef Worker* w = s.worker
    if s.flags & (IN_READY | IS_INTERNAL):
        return
    s.flags |= IN_READY
    s.next_ready = w.ready
    w.ready = s
    if w != s.engine.active and w.wake != NULL:
        w.wake(w)

cdef Session* session_take_ready(Worker* w) noexcept nogil:
    cdef Session* s = w.ready
    w.ready = NULL
    return s

cdef void session_close(Session* s, bint after_output) noexcept nogil:
    cdef Worker* w = s.worker
    s.gate |= CLOSE_AFTER if after_output else CLOSE_NOW
    if s.flags & IN_READY:              # it may sleep over its peer
        if w != s.engine.active and w.wake != NULL:
            w.wake(w)
    elif s.engine.current != s:
        session_make_ready(s)

cdef void session_wait(Session* s) noexcept nogil:
    s.gate |= WAITING

cdef void session_continue(Session* s) noexcept nogil:
    if s.flags & IS_PAUSED:
        s.engine.blocked -= 1
    s.gate &= ~<uint32_t>WAITING
    s.flags = (s.flags & ~<uint32_t>IS_PAUSED) | TO_RESUME
    session_make_ready(s)

cdef int output_class(const Session* s) noexcept nogil:
    return CLASS_PUBSUB if s.flags & IS_PUBSUB else CLASS_NORMAL

cdef bint over_output_limit(Session* s) noexcept nogil:
    """Whether the queue is over its class's limit: the hard one now, or the soft one for too long."""
    cdef OutputLimit* limit = &s.engine.config.output_limits[output_class(s)]
    cdef int64_t now = s.engine.now_ms // 1000
    cdef size_t held = s.out.held + <size_t>(s.out.pos - s.out.base) + (s.pushes.held if s.pushes != NULL else 0)
    if held <= UNCOUNTED_BYTES:
        held = 0
    if limit.hard and held >= limit.hard:
        return True
    if limit.soft == 0 or held < limit.soft:
        s.soft_limit_since = 0
        return False
    if s.soft_limit_since == 0:
        s.soft_limit_since = now
        return False
    return now - s.soft_limit_since > limit.soft_seconds

cdef void check_output_limit(Session* s) noexcept nogil:
    if s.gate & CLOSE_NOW == 0 and s.flags & IS_INTERNAL == 0 and over_output_limit(s):
        s.engine.stats.output_limit_disconnections += 1
        session_close(s, False)

cdef bint session_hold(Session* s) noexcept nogil:
    cdef Worker* w = s.worker
    s.out.end = s.out.pos
    w.scratch_used = <size_t>(s.out.pos - w.scratch) if s.out.base != NULL else w.scratch_used
    return w.scratch_used <= SCRATCH_BYTES - SCRATCH_LEAST

cdef void session_settle(Session* s) noexcept nogil:
    output_detach(&s.out)
    if s.out.broken:
        s.gate |= CLOSE_NOW
    check_output_limit(s)
    count_memory(s)

# ---------------------------------------------------------------- errors

cdef Status fail(Session* s, const char* text) noexcept nogil:
    return fail_bytes(s, text, strlen(text))

cdef Status fail_bytes(Session* s, const char* p, size_t n) noexcept nogil:
    reply_error(&s.out, p, n)
    count_error(s.engine, p, n)
    return FAILED

cdef void count_error(Engine* e, const char* p, size_t n) noexcept nogil:
    """INFO errorstats: count by the error's first word."""
    cdef Board* b = e.board
    cdef size_t word = 0
    cdef uint32_t i
    e.stats.errors += 1
    while word < n and word < 31 and p[word] != c' ':
        word += 1
    for i in range(b.error_codes):
        if memcmp(b.errors[i].code, p, word) == 0 and b.errors[i].code[word] == 0:
            b.errors[i].count += 1
            return
    if b.error_codes < MAX_ERROR_CODES:
        i = b.error_codes
        memset(b.errors[i].code, 0, 32)
        memcpy(b.errors[i].code, p, word)
        b.errors[i].count = 1
        b.error_codes += 1

cdef Status fail_status(Session* s, Status status) noexcept nogil:
    if status == BAD_INT:
        return fail(s, b"ERR value is not an integer or out of range")
    if status == NO_MEMORY:
        return fail(s, b"OOM the store's memory is full")
    if status == BAD_TIME:
        return fail(s, b"ERR invalid expire time")
    return status

cdef bint refuse_push(Session* s) noexcept nogil:
    cdef char text[256]
    cdef char name[24]
    if s.engine.no_push == NULL:
        return False
    upper_name(s.command, name, sizeof(name))
    snprintf(text, sizeof(text), b"ERR %s can't wait with %s" if s.command.flags & BLOCKING
             else b"ERR %s is not available with %s", name, s.engine.no_push)
    fail(s, text)
    return True

cdef Status fail_syntax(Session* s) noexcept nogil:
    return fail(s, b"ERR syntax error")

cdef Status fail_wrong_type(Session* s) noexcept nogil:
    return fail(s, b"WRONGTYPE Operation against a key holding the wrong kind of value")

cdef void arity_text(const Command* c, char* text, size_t room) noexcept nogil:
    snprintf(text, room, b"ERR wrong number of arguments for '%s' command", c.name)

cdef Status fail_arity(Session* s) noexcept nogil:
    cdef char text[160]
    arity_text(s.command, text, sizeof(text))
    return fail(s, text)

cdef Status fail_unknown(Session* s) noexcept nogil:
    """Name the command and the first of its arguments, as far as 128 bytes go."""
    cdef char text[512]
    cdef char args[192]
    cdef int used = 0, room
    cdef uint32_t i
    args[0] = 0
    for i in range(1, s.argc):
        if used >= 128:
            break
        room = 128 - used
        used += snprintf(args + used, sizeof(args) - used, b"'%.*s' ",
                         <int>s.argv[i].len if s.argv[i].len < <uint32_t>room else room, s.argv[i].ptr)
    snprintf(text, sizeof(text), b"ERR unknown command '%.*s', with args beginning with: %s",
             <int>min(s.argv[0].len, <uint32_t>128), s.argv[0].ptr, args)
    return fail(s, text)

cdef void upper_name(const Command* c, char* upper, size_t room) noexcept nogil:
    cdef size_t i = 0
    while c.name[i] and i < room - 1:
        upper[i] = <char>(c.name[i] - 32) if c'a' <= c.name[i] <= c'z' else c.name[i]
        i += 1
    upper[i] = 0

cdef Status fail_subcommand(Session* s) noexcept nogil:
    cdef char text[320]
    cdef char upper[40]
    upper_name(s.command, upper, sizeof(upper))
    snprintf(text, sizeof(text), b"ERR unknown subcommand '%.*s'. Try %s HELP.",
             <int>min(s.argv[1].len, <uint32_t>128), s.argv[1].ptr, upper)
    return fail(s, text)

cdef bint is_word(const Slice* arg, const char* word) noexcept nogil:
    cdef uint32_t i
    cdef char c
    for i in range(arg.len):
        c = arg.ptr[i]
        if c'A' <= c <= c'Z':
            c += 32
        if word[i] == 0 or c != word[i]:
            return False
    return word[arg.len] == 0
