"""Engines: making and ending one, and the Python handle that servers and stores hold.

An engine is driven by one thread at a time and has no lock. Its handle may be used by Python code
only in that thread: in commands written in Python, or before and after serving.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stddef cimport size_t
from libc.stdint cimport SIZE_MAX, int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset
from minikv_core.blocking cimport blocking_begin, blocking_end, waited_gone
from minikv_core.arena cimport arena_alloc, arena_at, arena_close, arena_open, arena_slack, arena_trim
from minikv_core.board cimport board_close, board_open, client_bytes_of, sessions_of
from minikv_core.clock cimport monotonic_us, ticks
from minikv_core.cron cimport current_hz, engine_timers
from minikv_core.engine cimport *
from minikv_core.entry cimport ENTRY_HEADER
from minikv_core.eviction cimport memory_used, note_peak
from minikv_core.keyspace cimport database_init
from minikv_core.lazyfree cimport lazyfree_pending
from minikv_core.output cimport SCRATCH_BYTES, OutNode, output_attach, output_detach, output_sent
from minikv_core.pubsub cimport CHANNEL, PATTERN, SHARD, pubsub_attach, pubsub_release, topic_count
from minikv_core.registry cimport command_count
from minikv_core.session cimport refresh_clock, select_database, session_free, session_new, session_run
from minikv_core.table cimport Bucket, Segment
from minikv_core.timing cimport begin_timing, update_slow_ticks
from minikv_core.tracking cimport tracked_items, tracked_keys, tracked_prefixes, tracking_attach, tracking_limit, tracking_release
from minikv_core.types cimport OK, Slice
from minikv_core.undo cimport undo_close, undo_commit, undo_open
from minikv_core.watch cimport watch_attach, watch_count
from minikv_core.worker cimport engine_rest, worker_close, worker_open

from minikv.errors import ReplyError
from minikv_core.decode import decode

cdef extern from *:
    """
    #include <stdlib.h>
    #ifdef __GLIBC__
    #include <malloc.h>
    #define minikv_keep_heap(spare, step) (mallopt(M_TRIM_THRESHOLD, spare), mallopt(M_TOP_PAD, step))
    #else
    #define minikv_keep_heap(spare, step) ((void)0)
    #endif
    """
    void minikv_keep_heap(int spare, int step)

cdef enum:
    HEAP_SPARE = 4 << 20            # bytes that malloc keeps at the end of its heap when they are freed ...
    HEAP_STEP = 1 << 20             # ... and by which it grows
    REPLY_PEAK_MS = 5000
    UNDO_RESERVE = 1 << 30          # bytes of old contents that one section of a shared store may need


def keep_heap():
    """Keep some freed memory in this process: else the queue of each long reply is fetched from the system anew.

    It is for a process that is a server and nothing else.
    """
    minikv_keep_heap(HEAP_SPARE, HEAP_STEP)

# ---------------------------------------------------------------- making and ending


cdef bint engine_open(Engine* e, uint32_t databases, size_t reserve, bint shared) noexcept nogil:
    """Make the arena and the empty databases; False if memory is refused."""
    cdef uint32_t i
    memset(e, 0, sizeof(Engine))
    if not board_open(e, shared) or arena_open(&e.arena, reserve, shared) != OK:
        return False
    if shared and undo_open(&e.arena, <size_t>UNDO_RESERVE) != OK:
        return False
    e.arena.head.root = arena_alloc(&e.arena, sizeof(Root))
    e.root = <Root*>arena_at(&e.arena, e.arena.head.root)
    memset(e.root, 0, sizeof(Root))
    e.root.databases = databases
    e.root.database = arena_alloc(&e.arena, databases * sizeof(Database))
    if e.root.database == 0:
        return False
    e.databases = <Database*>arena_at(&e.arena, e.root.database)
    e.database_count = databases
    for i in range(databases):
        database_init(&e.databases[i], i)
    e.board.next_session_id = 1
    e.random = e.arena.head.seed.secret[0] ^ ticks()
    begin_timing(e)
    e.expire_due_us = 0
    refresh_clock(e)
    e.start_us = e.now_us
    start_rates(e)
    e.active = &e.inner
    e.keeps_store = True
    if not worker_open(&e.inner, e):
        return False
    pubsub_attach(e)
    watch_attach(e)
    blocking_begin(e)
    tracking_attach(e)
    undo_commit(&e.arena)
    return True

cdef void start_rates(Engine* e) noexcept nogil:
    cdef int k
    memset(e.board.rates, 0, sizeof(e.board.rates))
    for k in range(5):
        e.board.rates[k].last_us = monotonic_us()

cdef void engine_close(Engine* e) noexcept nogil:
    while e.sessions != NULL:
        session_free(e.sessions)
    if e.pubsub != NULL:
        pubsub_release(e)
    tracking_release(e)
    blocking_end(e)
    worker_close(&e.inner)
    undo_close(&e.arena)
    arena_close(&e.arena)
    board_close(e)

# ---------------------------------------------------------------- settings by name

cdef size_t config_offset(str name) except? 0:
    """Where a setting lies in Config; its name is the setting's with '_' for '-'."""
    cdef Config any
    cdef Config* c = &any
    cdef dict known = {
        "maxmemory": <size_t>&c.maxmemory,
        "maxmemory_policy": <size_t>&c.maxmemory_policy,
        "hash_max_listpack_entries": <size_t>&c.hash_max_listpack_entries,
        "hash_max_listpack_value": <size_t>&c.hash_max_listpack_value,
        "list_max_listpack_size": <size_t>&c.list_max_listpack_size,
        "set_max_intset_entries": <size_t>&c.set_max_intset_entries,
        "set_max_listpack_entries": <size_t>&c.set_max_listpack_entries,
        "set_max_listpack_value": <size_t>&c.set_max_listpack_value,
        "zset_max_listpack_entries": <size_t>&c.zset_max_listpack_entries,
        "zset_max_listpack_value": <size_t>&c.zset_max_listpack_value,
        "hll_sparse_max_bytes": <size_t>&c.hll_sparse_max_bytes,
        "stream_node_max_bytes": <size_t>&c.stream_node_max_bytes,
        "stream_node_max_entries": <size_t>&c.stream_node_max_entries,
        "tracking_table_max_keys": <size_t>&c.tracking_table_max_keys,
        "maxmemory_samples": <size_t>&c.maxmemory_samples,
        "maxmemory_clients": <size_t>&c.maxmemory_clients,
        "maxmemory_eviction_tenacity": <size_t>&c.maxmemory_eviction_tenacity,
        "lfu_log_factor": <size_t>&c.lfu_log_factor,
        "lfu_decay_time": <size_t>&c.lfu_decay_time,
        "lazyfree_lazy_eviction": <size_t>&c.lazyfree_lazy_eviction,
        "lazyfree_lazy_expire": <size_t>&c.lazyfree_lazy_expire,
        "lazyfree_lazy_server_del": <size_t>&c.lazyfree_lazy_server_del,
        "lazyfree_lazy_user_del": <size_t>&c.lazyfree_lazy_user_del,
        "lazyfree_lazy_user_flush": <size_t>&c.lazyfree_lazy_user_flush,
        "active_expire_effort": <size_t>&c.active_expire_effort,
        "active_expire": <size_t>&c.active_expire,
        "cron_paused": <size_t>&c.cron_paused,
        "reply_resizing": <size_t>&c.reply_resizing,
        "reply_peak_reset": <size_t>&c.reply_peak_reset,
        "hz": <size_t>&c.hz,
        "dynamic_hz": <size_t>&c.dynamic_hz,
        "timeout": <size_t>&c.timeout,
        "receive_timeout": <size_t>&c.receive_timeout,
        "send_timeout": <size_t>&c.send_timeout,
        "tcp_quickack": <size_t>&c.tcp_quickack,
        "maxclients": <size_t>&c.maxclients,
        "protected_mode": <size_t>&c.protected_mode,
        "proto_max_bulk_len": <size_t>&c.proto_max_bulk_len,
        "client_query_buffer_limit": <size_t>&c.client_query_buffer_limit,
        "slowlog_log_slower_than": <size_t>&c.slowlog_log_slower_than,
        "slowlog_max_len": <size_t>&c.slowlog_max_len,
        "latency_monitor_threshold": <size_t>&c.latency_monitor_threshold,
        "latency_tracking": <size_t>&c.latency_tracking,
        "notify_keyspace_events": <size_t>&c.notify_keyspace_events,
        "requires_auth": <size_t>&c.requires_auth,
    }
    return known[name] - <size_t>c


cdef class EngineHandle:
    """One engine, for Python.

    databases   how many, at least 1
    reserve     bytes of address space for the arena; 32 GiB at most
    shared      whether forked processes see the same store
    owner       the Server or Store that holds it; commands written in Python find it as session.server
    errors      MemoryError if the system refuses
    """

    def __cinit__(self, uint32_t databases=16, size_t reserve=<size_t>34359738368, bint shared=False, owner=None):
        self.owner = owner
        self.views = []
        self.is_open = engine_open(&self.engine, databases, reserve, shared)
        if not self.is_open:
            raise MemoryError("the arena's memory is refused")
        self.engine.python = <void*>self
        self.engine.config.active_expire = 1
        self.engine.config.reply_resizing = 1
        self.engine.config.reply_peak_reset = REPLY_PEAK_MS
        self.engine.config.latency_tracking = 1
        self.engine.config.hz = 10
        self.engine.config.maxmemory_samples = 5
        self.engine.config.lfu_log_factor = 10
        self.engine.config.lfu_decay_time = 1
        self.engine.config.active_expire_effort = 1
        self.engine.config.proto_max_bulk_len = 512 << 20
        self.engine.config.client_query_buffer_limit = 1 << 30
        self.engine.config.slowlog_log_slower_than = 10000
        self.engine.config.slowlog_max_len = 128
        self.startup = self.engine.arena.head.used

    def __dealloc__(self):
        self.close()

    def close(self):
        """Free everything; what needs the engine raises RuntimeError from now on."""
        if self.engine.depth:
            raise RuntimeError("a command that runs can't close its engine")
        if self.is_open:
            self.is_open = False
            engine_close(&self.engine)

    cdef Engine* get(self) except NULL:
        if not self.is_open:
            raise RuntimeError("the store is closed")
        return &self.engine

    def configure(self, str name, int64_t value):
        """Set what the engine reads of a setting (names as in Config, `_` for `-`)."""
        cdef Engine* e = &self.engine
        (<int64_t*>(<char*>e.config + config_offset(name)))[0] = value
        set_gate(e, GATE_MAXMEMORY, e.config.maxmemory > 0)
        update_slow_ticks(e)
        tracking_limit(e)
        e.cron_due_us = 0

    def configured(self, str name):
        return (<int64_t*>(<char*>self.engine.config + config_offset(name)))[0]

    def set_output_limit(self, int output_class, uint64_t hard, uint64_t soft, int64_t seconds):
        """client-output-buffer-limit for class 0 normal, 1 replica, 2 pubsub."""
        cdef OutputLimit* limit = &self.engine.config.output_limits[output_class]
        limit.hard = hard
        limit.soft = soft
        limit.soft_seconds = seconds

    def execute(self, uint32_t database, uint8_t protocol, tuple args):
        """Run one command outside any connection and return its decoded reply.

        args      bytes; the command's name first
        returns   int, bytes, None, list, dict, set, float, bool; errors inside a list as ReplyError
        errors    ReplyError
        """
        cdef bytes reply = self.execute_raw(database, protocol, args)
        value, _ = decode(reply, ReplyError)
        if isinstance(value, ReplyError):
            raise value
        return value

    cdef bytes execute_raw(self, uint32_t database, uint8_t protocol, tuple args):
        cdef Engine* e = self.get()
        cdef uint32_t i, argc = <uint32_t>len(args)
        cdef Session* s
        cdef Slice* argv
        cdef char* scratch
        if argc == 0:
            raise ValueError("no command given")
        if database >= e.database_count:
            raise ValueError("no such database")
        if protocol != 2 and protocol != 3:
            raise ValueError("the protocol is 2 or 3")
        s = self.internal_session()
        if s.flags & IN_EXEC or e.depth and s == e.current:
            raise RuntimeError("a command run by execute() can't use execute() itself")
        argv = <Slice*>malloc(argc * sizeof(Slice))
        scratch = <char*>malloc(SCRATCH_BYTES) if e.depth else e.inner.scratch
        if argv == NULL or scratch == NULL:
            free(argv)
            raise MemoryError
        try:
            for i in range(argc):
                if not isinstance(args[i], bytes):
                    raise TypeError(f"arguments are bytes, not {type(args[i]).__name__}")
                argv[i].ptr = PyBytes_AS_STRING(args[i])
                argv[i].len = <uint32_t>len(args[i])
                argv[i].block = 0
            select_database(s, database)
            s.out.protocol = protocol
            output_attach(&s.out, scratch, SCRATCH_BYTES)
            session_run(s, argv, argc)
            return take_output(s)
        finally:
            free(argv)
            if scratch != e.inner.scratch:
                free(scratch)

    cdef Session* internal_session(self) except NULL:
        if self.internal == NULL:
            self.internal = session_new(&self.engine.inner, -1, IS_INTERNAL)
            if self.internal == NULL:
                raise MemoryError
        return self.internal

    def refuse_push(self, str reason):
        """Have SUBSCRIBE, MONITOR and their like answer with an error: the I/O model can't deliver messages."""
        self.no_push = reason.encode()
        self.engine.no_push = self.no_push

    @property
    def refusal(self):
        """Why messages can't be delivered now; empty = they can."""
        return (<bytes>self.engine.no_push).decode() if self.engine.no_push != NULL else ""

    @property
    def stopping(self):
        """Whether SHUTDOWN has come."""
        return bool(self.engine.stopping)

    @property
    def stop_status(self):
        """The exit status that it asked for."""
        return self.engine.stop_status

    def timers(self):
        """Do what is due (expiry, give-back of memory); microseconds until the next, -1 = nothing is due."""
        return engine_timers(self.get())

    def sleep(self, double seconds):
        """Wait in the middle of a command; where several workers serve the store, the others go on."""
        cdef int64_t us = <int64_t>(seconds * 1e6) if 0 < seconds < 1e9 else 0
        cdef list views = self.views
        with nogil:
            engine_rest(&self.engine, us)
        self.views = views              # the commands that ran meanwhile had their own

    def refresh_clock(self):
        refresh_clock(self.get())

    # ------------------------------------------------------------ figures for INFO and its like

    def stats(self):
        """All counters of Stats, by name."""
        return dict(self.engine.stats[0])

    def reset_stats(self):
        """CONFIG RESETSTAT."""
        cdef Engine* e = self.get()
        memset(e.stats, 0, sizeof(Stats))
        memset(e.counters, 0, command_count() * sizeof(CommandCounters))
        e.board.error_codes = 0
        start_rates(e)
        e.commands_at_tick = 0

    def command_stats(self):
        """(name-less) rows by command id: (calls, microseconds, rejected, failed, histogram)."""
        cdef Engine* e = self.get()
        cdef uint32_t i
        cdef CommandCounters* c
        rows = {}
        for i in range(command_count()):
            c = &e.counters[i]
            if c.calls or c.rejected or c.failed:
                rows[i] = (c.calls, <uint64_t>(<double>c.ticks * e.us_per_tick / 4294967296.0), c.rejected, c.failed,
                           [c.histogram[j] for j in range(32)])
        return rows

    def error_stats(self):
        """{code: count} in order of appearance."""
        cdef Engine* e = self.get()
        cdef uint32_t i
        return {e.board.errors[i].code: e.board.errors[i].count for i in range(e.board.error_codes)}

    def memory(self):
        """Bytes: used, startup, peak, arena_used, arena_resident, arena_slack, clients, tables; and lazyfree_pending
        (objects), peak_ms (Unix time)."""
        cdef Engine* e = self.get()
        cdef uint64_t tables = 0
        cdef uint32_t i
        for i in range(e.database_count):
            tables += e.databases[i].keys.bytes
        note_peak(e)
        return {
            "used": memory_used(e), "startup": self.startup, "peak": e.peak_memory, "peak_ms": e.peak_memory_ms,
            "arena_used": e.arena.head.used,
            "arena_resident": e.arena.head.resident, "arena_slack": arena_slack(&e.arena), "clients": client_bytes_of(e),
            "tables": tables, "lazyfree_pending": lazyfree_pending(e),
        }

    def purge(self):
        """Give memory that no object uses back to the system; returns bytes."""
        return arena_trim(&self.get().arena, SIZE_MAX)

    def clients(self):
        """Sums and maxima over all clients: watching (clients), max_input and max_output (bytes)."""
        cdef Session* s = self.get().sessions
        cdef uint64_t watching = 0, most_in = 0, most_out = 0
        while s != NULL:
            if s.flags & IS_INTERNAL == 0:
                watching += watch_count(s) > 0
                most_in = max(most_in, <uint64_t>s.inbox_room)
                most_out = max(most_out, <uint64_t>s.out.held)
            s = s.next
        return {"watching": watching, "max_input": most_in, "max_output": most_out}

    def structure_sizes(self):
        """DEBUG STRUCTSIZE: bytes of the engine's structures."""
        return {"bits": sizeof(void*) * 8, "engine": sizeof(Engine), "session": sizeof(Session),
                "command": sizeof(Command), "segment": sizeof(Segment), "bucket": sizeof(Bucket),
                "entry": ENTRY_HEADER, "node": sizeof(OutNode)}

    def keyspace(self):
        """{database: (keys, keys with an expiry, table bytes, hashes of which only fields expire)}; no empty ones."""
        cdef Engine* e = self.get()
        cdef uint32_t i
        return {i: (e.databases[i].keys.count, e.databases[i].keys.expiring - e.databases[i].field_expiring,
                    e.databases[i].keys.bytes, e.databases[i].field_expiring)
                for i in range(e.database_count) if e.databases[i].keys.count}

    def rates(self):
        """INFO's instantaneous figures: commands, input, output, loops per second; µs per loop."""
        cdef uint32_t k, i, samples
        cdef double total
        found = []
        for k in range(5):
            total = 0
            samples = min(self.engine.board.rates[k].taken, <uint32_t>16)
            for i in range(samples):
                total += self.engine.board.rates[k].samples[i]
            found.append(total / samples if samples else 0.0)
        return found

    @property
    def facts(self):
        """Running state: now_ms, start_us, dirty, sessions, monitors, blocked, subscribers, ticks, hz (now), ..."""
        cdef Engine* e = self.get()
        return {
            "now_ms": e.now_ms, "now_us": e.now_us, "start_us": e.start_us, "dirty": e.root.dirty,
            "sessions": sessions_of(e), "monitors": e.monitors,
            "blocked": e.blocked, "waited_keys": e.waited_keys, "waited_gone": waited_gone(e), "subscribers": e.subscribers,
            "watched": e.root.watched, "ticks": e.ticks_done, "trackers": e.trackers, "tracked_keys": tracked_keys(e),
            "tracked_items": tracked_items(e), "tracked_prefixes": tracked_prefixes(e),
            "hz": current_hz(e), "lru_clock": e.lru_clock, "databases": e.database_count,
            "pause_until_ms": e.pause_until_ms, "uptime_us": monotonic_us() - e.start_monotonic_us,
            "next_session_id": e.board.next_session_id,
            "channels": topic_count(e, CHANNEL), "patterns": topic_count(e, PATTERN),
            "shard_channels": topic_count(e, SHARD),
        }


cdef void set_gate(Engine* e, uint32_t bit, bint on) noexcept nogil:
    if on:
        e.gate |= bit
    else:
        e.gate &= ~bit


cdef bytes take_output(Session* s):
    """All of a session's output as bytes; the output is empty afterwards."""
    cdef OutNode* node
    cdef bytes whole
    cdef char* to
    cdef size_t n = s.out.queued + <size_t>(s.out.pos - s.out.base)
    if s.out.head == NULL:
        whole = PyBytes_FromStringAndSize(s.out.base, <Py_ssize_t>n)
    else:
        whole = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>n)
        to = PyBytes_AS_STRING(whole)
        node = s.out.head
        while node != NULL:
            if node.block:
                memcpy(to, arena_at(s.out.arena, node.block) + 8 + node.start, node.end - node.start)
            else:
                memcpy(to, <char*>(node + 1) + node.start, node.end - node.start)
            to += node.end - node.start
            node = node.next
        memcpy(to, s.out.base, <size_t>(s.out.pos - s.out.base))
    output_sent(&s.out, n)
    output_detach(&s.out)
    return whole
