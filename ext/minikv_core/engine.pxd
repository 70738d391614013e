# The engine's own structures: what one store with its clients consists of. Structs only; the
# functions are in the modules named in each heading.
#
#   Engine    one store in this process: arena, databases, settings, counters, sessions  (handle.pyx)
#   Worker    one thread that serves sessions of an engine                               (worker.pyx)
#   Board     what all processes that serve one store share beside it                    (board.pyx)
#   Database  a numbered keyspace, in the arena                                          (keyspace.pyx)
#   Session   one client's state, sans I/O                                               (session.pyx)
#   Command   one row of the command table                                               (registry.pyx)
from libc.stddef cimport size_t
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from minikv_core.arena cimport Arena
from minikv_core.output cimport Output
from minikv_core.parser cimport Batch, Parser
from minikv_core.table cimport Table
from minikv_core.types cimport Ref, Slice, Status

cdef extern from "pthread.h" nogil:
    ctypedef struct pthread_mutex_t:
        pass

# ---------------------------------------------------------------- commands

cdef enum CommandFlag:          # names in lower case are what COMMAND INFO shows
    WRITE = 1 << 0
    READONLY = 1 << 1
    DENYOOM = 1 << 2            # refused while memory is over maxmemory
    ADMIN = 1 << 3
    PUBSUB = 1 << 4
    NOSCRIPT = 1 << 5
    BLOCKING = 1 << 6
    LOADING = 1 << 7
    STALE = 1 << 8
    SKIP_MONITOR = 1 << 9
    SKIP_SLOWLOG = 1 << 10
    FAST = 1 << 11
    NO_AUTH = 1 << 12           # allowed before AUTH
    MAY_REPLICATE = 1 << 13
    NO_ASYNC_LOADING = 1 << 14
    NO_MULTI = 1 << 15          # refused inside MULTI
    ALLOW_BUSY = 1 << 16
    MOVABLE_KEYS = 1 << 17
    TOUCHES_ARBITRARY_KEYS = 1 << 18
    # not shown
    IN_MULTI = 1 << 24          # runs at once inside MULTI: EXEC DISCARD MULTI WATCH QUIT RESET
    IN_SUBSCRIBE = 1 << 25      # allowed to a RESP2 subscriber
    IN_PAUSE = 1 << 26          # runs even while CLIENT PAUSE holds it back
    RUNS_QUEUE = 1 << 27        # EXEC: answers for the flags of what was queued; refused, it discards that

ctypedef Status (*CommandFn)(Session* s) noexcept nogil

cdef struct Command:            # malloc'd once, never freed or moved; counters live in Engine.counters
    CommandFn   fn              # NULL = a container without an action of its own
    const char* name            # lower case, full ("config|get"), NUL-terminated
    uint64_t    flags           # CommandFlag bits
    uint64_t    word_upper      # name_word() of its name in upper case, and in lower case
    uint64_t    word_lower
    Command*    parent          # the container of a subcommand
    Command*    children        # first subcommand
    Command*    sibling         # next subcommand of the same container
    void*       python          # PyObject*: the function of a command written in Python, else NULL
    int32_t     arity           # arguments with the name; -n = n at least
    int16_t     first_key       # of the first key spec, for hashing ahead; 0 = none
    int16_t     last_key        # of that spec; negative: counted from the end
    int16_t     key_step
    int16_t     key_count       # argument that holds the number of keys; 0 = none
    int16_t     counted_keys    # argument where those begin
    uint16_t    id              # index into Engine.counters and registry.specs
    uint8_t     name_len        # of the last word alone: what argv[0] or argv[1] must say
    const char* word            # that last word, lower case

cdef struct CommandCounters:    # INFO commandstats
    uint64_t calls
    uint64_t ticks              # processor time stamps spent
    uint64_t rejected
    uint64_t failed
    uint32_t histogram[32]      # LATENCY HISTOGRAM: calls of less than 2**i microseconds (and at least half that)

cdef struct ErrorCount:         # INFO errorstats
    char     code[32]           # first word of the error, NUL-terminated
    uint64_t count

# ---------------------------------------------------------------- settings and counters

cdef enum EvictionPolicy:       # bits: which keys, by what
    EVICT_NONE = 0
    EVICT_LRU = 1
    EVICT_LFU = 2
    EVICT_RANDOM = 3
    EVICT_TTL = 4
    EVICT_KIND = 7
    EVICT_VOLATILE = 8          # only keys with an expiry

cdef enum OutputClass:
    CLASS_NORMAL = 0
    CLASS_REPLICA = 1
    CLASS_PUBSUB = 2

cdef struct OutputLimit:
    uint64_t hard               # bytes; 0 = none
    uint64_t soft
    int64_t  soft_seconds

cdef struct Config:             # the settings that the hot path reads; set through EngineHandle.configure
    int64_t  maxmemory          # bytes; 0 = none
    int64_t  maxmemory_policy   # EvictionPolicy
    int64_t  maxmemory_samples
    int64_t  maxmemory_clients  # bytes; negative = percent of maxmemory; 0 = none
    int64_t  maxmemory_eviction_tenacity
    int64_t  lfu_log_factor
    int64_t  lfu_decay_time     # minutes
    int64_t  lazyfree_lazy_eviction
    int64_t  lazyfree_lazy_expire
    int64_t  lazyfree_lazy_server_del
    int64_t  lazyfree_lazy_user_del
    int64_t  lazyfree_lazy_user_flush
    int64_t  active_expire_effort       # 1-10
    int64_t  active_expire              # DEBUG SET-ACTIVE-EXPIRE
    int64_t  cron_paused        # DEBUG PAUSE-CRON
    int64_t  reply_resizing     # DEBUG REPLYBUFFER RESIZING
    int64_t  reply_peak_reset   # DEBUG REPLYBUFFER PEAK-RESET-TIME, ms; negative = never
    int64_t  hz                 # timer ticks a second
    int64_t  dynamic_hz
    int64_t  timeout            # seconds of idleness after which a client is closed; 0 = never
    int64_t  receive_timeout    # seconds that a blocking worker waits for its client; 0 = for ever
    int64_t  send_timeout
    int64_t  tcp_quickack       # acknowledge at once what was read
    int64_t  maxclients
    int64_t  protected_mode
    int64_t  proto_max_bulk_len         # bytes
    int64_t  client_query_buffer_limit  # bytes
    int64_t  slowlog_log_slower_than    # µs; negative = off
    int64_t  slowlog_max_len
    int64_t  latency_monitor_threshold  # ms; 0 = off
    int64_t  latency_tracking   # whether calls are added to the histograms: 0 or 1
    int64_t  notify_keyspace_events     # EventFlag bits
    int64_t  hash_max_listpack_entries
    int64_t  hash_max_listpack_value    # bytes
    int64_t  list_max_listpack_size     # elements, or -1 to -5: 4, 8, 16, 32 or 64 KiB
    int64_t  set_max_intset_entries
    int64_t  set_max_listpack_entries
    int64_t  set_max_listpack_value
    int64_t  zset_max_listpack_entries
    int64_t  zset_max_listpack_value
    int64_t  hll_sparse_max_bytes
    int64_t  stream_node_max_bytes      # 0 = no limit
    int64_t  stream_node_max_entries
    int64_t  tracking_table_max_keys    # 0 = no limit
    int64_t  requires_auth      # requirepass is set
    OutputLimit output_limits[3]        # by OutputClass

cdef struct Stats:              # INFO's totals; reset by CONFIG RESETSTAT
    uint64_t commands
    uint64_t connections
    uint64_t rejected_connections
    uint64_t net_input          # bytes
    uint64_t net_output
    uint64_t hits
    uint64_t misses
    uint64_t expired
    uint64_t expired_in_cron    # of those, by the active cycle
    uint64_t expire_cycle_us    # time spent in the active cycle
    uint64_t expire_time_caps   # cycles that ended by their time limit
    uint64_t evicted
    uint64_t evicted_clients
    uint64_t eviction_exceeded_us
    uint64_t query_limit_disconnections
    uint64_t output_limit_disconnections
    uint64_t errors             # error replies
    uint64_t unexpected_errors
    uint64_t reads              # read and write calls of the I/O model
    uint64_t writes
    uint64_t loops              # turns of the event loop, and time spent in them
    uint64_t loop_us
    uint64_t loop_us_max        # longest turn
    uint64_t loop_commands_max  # most commands in a turn
    uint64_t cron_us            # time spent in ticks
    uint64_t reply_shrinks      # changes of Output.first_room
    uint64_t reply_expands
    uint64_t lazyfreed          # objects freed in slices
    uint64_t pubsub_messages
    uint64_t expired_fields             # of hashes
    uint64_t expired_fields_in_cron

# ---------------------------------------------------------------- keyspace

cdef struct Database:           # in the arena
    Table    keys
    int64_t  next_expiry        # no key expires before this, Unix ms; INT64_MAX = none
    uint64_t expire_position    # where the active cycle goes on (table_next_segment); 0 = at a start
    int64_t  expire_minimum     # earliest expiry that this round of the cycle has seen so far
    uint64_t field_expiring     # hashes that do not expire themselves, but fields of them
    uint32_t id

cdef struct Root:               # the store's root object, in the arena
    uint32_t databases
    uint32_t watched            # keys under WATCH, in any session of any process
    Ref      database           # array of Database
    Ref      free_queue         # values to free in slices: a chain through lazyfree.pyx
    uint64_t dirty              # changes to the data so far
    uint64_t versions           # last version handed out to a watched key
    Table    watches            # (database, key) -> version and number of watchers (watch.pyx)

cdef enum EventFlag:            # notify-keyspace-events
    EVENT_KEYSPACE = 1 << 0     # K
    EVENT_KEYEVENT = 1 << 1     # E
    EVENT_GENERIC = 1 << 2      # g
    EVENT_STRING = 1 << 3       # $
    EVENT_LIST = 1 << 4         # l
    EVENT_SET = 1 << 5          # s
    EVENT_HASH = 1 << 6         # h
    EVENT_ZSET = 1 << 7         # z
    EVENT_EXPIRED = 1 << 8      # x
    EVENT_EVICTED = 1 << 9      # e
    EVENT_STREAM = 1 << 10      # t
    EVENT_MISS = 1 << 11        # m
    EVENT_MODULE = 1 << 12      # d
    EVENT_NEW = 1 << 13         # n
    EVENT_OVERWRITTEN = 1 << 14  # o
    EVENT_TYPE_CHANGED = 1 << 15    # c

# What must call upward is a pointer, set when the upper module is imported.
ctypedef void (*NotifyFn)(Engine* e, const char* event, const Slice* key, uint32_t db) noexcept nogil

# ---------------------------------------------------------------- engine

cdef enum RateKind:
    RATE_COMMANDS = 0
    RATE_INPUT = 1
    RATE_OUTPUT = 2
    RATE_LOOPS = 3
    RATE_LOOP_US = 4

cdef struct Rate:               # INFO's instantaneous_*: a ring of the last 16 samples, 0.1 s each
    double   samples[16]        # per second (RATE_LOOP_US: per loop)
    uint32_t taken              # samples so far; the next one goes to taken % 16
    uint64_t last               # the counter when it was sampled
    int64_t  last_us            # monotonic

cdef struct PoolEntry:          # a key that eviction may take
    uint64_t score              # idleness, rarity or nearness of expiry: the higher the sooner
    uint64_t hash
    Ref      ref
    uint32_t database

cdef enum PlaceState:
    PLACE_FREE = 0
    PLACE_STARTING = 1
    PLACE_IDLE = 2              # waits for a connection
    PLACE_ACTIVE = 3            # has one
    PLACE_ENDING = 4

cdef struct Place:              # one process; its row of the board outlives it until the master has seen its end
    int32_t  pid                # 0 = free
    uint32_t state              # PlaceState
    uint32_t sessions           # its share of the sums in Board
    uint64_t client_bytes
    uint32_t watching           # keys under WATCH, by its sessions
    uint64_t accepted           # connections so far
    uint64_t requests           # batches of commands so far
    int64_t  started_us         # monotonic
    int64_t  busy_since_us      # monotonic; 0 = no request runs
    int64_t  idle_since_us      # monotonic
    uint64_t answered           # Board.question that it has answered last
    Ref      answer             # its reply, a block in the arena that the asker frees; 0 = none

cdef struct Board:
    pthread_mutex_t lock        # robust, for processes: held by the one that uses the store
    uint64_t sessions           # of all processes, as each left them when it last gave the lock up
    uint64_t client_bytes
    uint64_t next_session_id
    uint64_t recoveries         # owners of the lock that died; their work was undone
    int64_t  pause_until_ms     # of CLIENT PAUSE, for processes that come later; 0 = none
    bint     pause_all
    uint64_t settings_version   # raised when a process has changed settings
    uint32_t settings_length    # bytes of settings_text
    Config   config
    Stats    stats
    Rate     rates[5]           # by RateKind
    ErrorCount errors[128]      # by code, in order of appearance
    uint32_t error_codes
    uint32_t places             # length of place
    char     settings_text[65536]   # what was changed since the start (minikv/settings.py)
    uint64_t question           # raised when a process wants all others to run a command
    uint32_t question_length    # bytes of question_text: the command, as RESP
    int32_t  asker              # who waits for the answers; 0 = nobody
    char     question_text[65536]
    Place    place[1024]
    CommandCounters counters[4096]  # by Command.id; pages that no command uses are never touched

cdef enum EngineGate:           # reasons to look closer before (or after) any command
    GATE_MAXMEMORY = 1 << 0     # maxmemory is set
    GATE_MONITORS = 1 << 1      # somebody MONITORs
    GATE_PAUSED = 1 << 2        # CLIENT PAUSE

cdef struct Worker:             # one thread that serves sessions; a session stays with its worker
    Engine*   engine
    Batch     batch
    char*     scratch           # SCRATCH_BYTES: the attached outputs of the sessions that ran in this turn
    size_t    scratch_used      # bytes of it that sessions hold until they are settled
    Session*  ready             # its sessions with output or a close pending: the I/O model must look at them
    void      (*wake)(Worker* w) noexcept nogil     # called by other workers that added to `ready`
    void*     model             # what the I/O model keeps for it
    bint      resting           # in the middle of a command, with the lock given up (engine_rest)

cdef struct Engine:
    Arena     arena
    Root*     root
    Database* databases         # root.databases of them
    uint32_t  database_count
    uint32_t  gate              # EngineGate bits
    # time, refreshed once per batch of requests
    int64_t   now_ms            # Unix time
    int64_t   now_us
    uint64_t  now_ticks         # time stamp at the end of the last command
    uint32_t  lru_clock         # low 24 bits: seconds, the resolution of LRU
    uint32_t  lfu_clock         # low 16 bits: minutes
    uint64_t  us_per_tick       # microseconds a tick, times 2**32: a guess until `calibrated`
    bint      calibrated
    uint64_t  slow_ticks        # ticks from which the slow log or the latency monitor may want a command; UINT64_MAX = never
    uint64_t  start_ticks       # ticks and monotonic time at the start, to calibrate
    int64_t   start_monotonic_us
    int64_t   start_us          # Unix time of the start
    # running state
    Board*    board
    Place*    place             # this process's on the board
    pthread_mutex_t* lock       # held by the worker that uses the engine; NULL = there is but one
    Worker*   active            # the worker that uses the engine
    Worker    inner             # serves the sessions without a socket
    Session*  current           # session whose command runs; NULL = none
    Session*  sessions          # all of them, newest first
    uint32_t  session_count     # of this process; sessions_of() has the whole server's
    Worker*   timekeeper        # the one of several that runs the timers; NULL = each runs its own
    int64_t   wakes_ms          # Unix time at which it means to look at them next; INT64_MAX = when it is woken
    int64_t   cron_due_us       # monotonic time of the next tick, expiry slice and compaction slice; 0 = at once
    int64_t   expire_due_us
    int64_t   compact_due_us
    uint64_t  compact_position  # where compaction goes on, and in which database
    uint32_t  compact_database
    bint      compacting
    bint      resting           # nobody is served: ticks are seldom, or stopped
    uint64_t  ticks_done        # timer ticks so far
    uint64_t  commands_at_tick  # Stats.commands at the last tick: an idle engine ticks less often
    Session*  cron_session      # whose turn it is to be looked at by the timer
    uint64_t  peak_memory       # most bytes used, as seen at each tick, and when
    int64_t   peak_memory_ms
    uint64_t  client_bytes      # bytes that sessions hold in buffers, queues and transactions; client_bytes_of() has all
    uint64_t  random            # state of random_next()
    uint32_t  depth             # commands in progress: 0, 1, or 2 inside EXEC
    PoolEntry pool[16]          # eviction's best candidates so far, the best last (eviction.pyx)
    uint32_t  pool_count
    uint32_t  evict_database    # whose turn it is under a random policy
    uint32_t  monitors
    Session** monitor_sessions  # those sessions, in order of their MONITOR (monitor.pyx)
    uint32_t  blocked           # sessions that wait: for a key, or for the end of CLIENT PAUSE
    uint32_t  waited_keys       # keys that blocked sessions wait for
    uint32_t  ready_keys        # what is to be done after the command: keys to serve, and one for broadcasts of tracking
    uint32_t  trackers          # sessions with CLIENT TRACKING
    uint32_t  subscribers       # sessions in pub/sub mode
    int64_t   pause_until_ms
    bint      pause_all         # else writes alone are held back
    bint      stopping          # the I/O model should stop accepting, flush and return
    int       stop_status       # exit status to return with
    void*     pubsub            # PubSub* (pubsub.pyx)
    void*     blocking          # Blocking* (blocking.pyx)
    void*     tracking          # Tracking* (tracking.pyx)
    const char* no_push         # the I/O model and why it can't deliver what no request asked for; NULL = it can
    void*     python            # PyObject*: the EngineHandle, borrowed
    NotifyFn  publish_event     # pubsub.pyx: sends a keyspace event's messages
    void      (*on_monitor)(Session* s) noexcept nogil      # monitor.pyx
    void      (*end_pause)(Engine* e) noexcept nogil        # connection.pyx: CLIENT PAUSE is over
    CommandCounters* counters   # the board's, MAX_COMMANDS of them, by Command.id
    Config*   config            # the board's
    Stats*    stats             # the board's
    uint64_t  settings_seen     # Board.settings_version that this process follows
    void      (*on_settings)(Engine* e) noexcept nogil      # places.pyx: another process has changed settings
    void      (*on_question)(Engine* e) noexcept nogil      # places.pyx: another process asks all others
    bint      keeps_store       # its timers look after the store, and not after its sessions alone
    void      (*on_slow)(Session* s, uint64_t us) noexcept nogil    # pycommand.pyx: SLOWLOG, past its threshold
    void      (*on_latency)(Engine* e, const char* event, uint64_t ms) noexcept nogil   # LATENCY, past its threshold
    void      (*touch_watched)(Engine* e, Database* db, const Slice* key) noexcept nogil    # watch.pyx
    # blocking.pyx: note that a key is ready; serve those who wait, once the command is over
    void      (*key_ready)(Engine* e, Database* db, const Slice* key, int kind) noexcept nogil
    void      (*serve_blocked)(Engine* e) noexcept nogil
    void      (*end_waits)(Engine* e) noexcept nogil        # block_due_ms has come
    int64_t   block_due_ms      # earliest deadline of a session that waits, Unix time; INT64_MAX = none
    # tracking.pyx: a tracking session's command has read keys; a key has changed (key NULL: all
    # of a database, or of all databases; database NULL with a key: it has expired, which is nobody's change)
    void      (*track_read)(Session* s) noexcept nogil
    void      (*track_change)(Engine* e, Database* db, const Slice* key) noexcept nogil

# ---------------------------------------------------------------- session

cdef enum SessionGate:          # reasons to look closer before any command of this session
    NEED_AUTH = 1 << 0
    QUEUEING = 1 << 1           # inside MULTI
    SUBSCRIBED = 1 << 2         # has subscriptions: in RESP2, few commands are allowed
    REPLY_OFF = 1 << 3          # CLIENT REPLY OFF
    REPLY_SKIP = 1 << 4         # CLIENT REPLY SKIP: for the command being run
    REPLY_SKIP_NEXT = 1 << 5
    CLOSE_AFTER = 1 << 6        # nothing more is read; close once the output is sent
    CLOSE_NOW = 1 << 7          # close, dropping the output
    WAITING = 1 << 8            # blocked or paused: requests stay in the inbox
    TRACKING = 1 << 9           # CLIENT TRACKING: what is read is remembered
    STOP = CLOSE_AFTER | CLOSE_NOW | WAITING

cdef enum SessionFlag:          # facts that cost the hot path nothing
    IS_UNIX = 1 << 0
    IS_MONITOR = 1 << 1
    IS_NO_EVICT = 1 << 2
    IS_NO_TOUCH = 1 << 3
    IS_INTERNAL = 1 << 4        # no socket: Store.execute
    IS_PUBSUB = 1 << 5          # has subscriptions, in either protocol
    IN_READY = 1 << 6           # is in Worker.ready
    DIRTY_EXEC = 1 << 8         # a command could not be queued: EXEC will abort
    IS_PAUSED = 1 << 9          # WAITING because of CLIENT PAUSE
    IN_EXEC = 1 << 10
    WANTS_WRITE = 1 << 12       # the I/O model waits until the socket takes more
    TO_RESUME = 1 << 13         # WAITING has ended: the I/O model calls session_resume
    PEER_DONE = 1 << 14         # the peer has closed its sending side
    READ_AGAIN = 1 << 15        # edge-triggered: there may be more to read, or to write
    WRITE_AGAIN = 1 << 16
    IS_LENT = 1 << 17           # another thread sends from the output: what is queued stays
    NEWCOMER = 1 << 18          # accepted by another worker: its own has yet to begin with it
    LINGERS = 1 << 19           # released: what the peer still says is dropped, until it closes too
    IS_BLOCKED = 1 << 20        # WAITING for a key

cdef struct Session:
    Engine*   engine
    Worker*   worker
    uint32_t  gate              # SessionGate bits
    uint32_t  flags             # SessionFlag bits
    Database* db
    # the request that runs
    Slice*    argv
    uint32_t  argc
    Command*  command
    uint64_t  hash              # of the command's first key
    Output    out
    # input
    char*     inbox             # bytes kept for the next feed; malloc'd
    size_t    inbox_len
    size_t    inbox_room
    size_t    inbox_peak        # most bytes kept since the last look of the timer
    Parser    parser
    # identity
    uint64_t  id
    Session*  next              # in Engine.sessions
    Session*  previous
    Session*  next_ready        # in Worker.ready
    Command*  last_command      # for CLIENT LIST
    char*     name              # CLIENT SETNAME; malloc'd, NUL-terminated, NULL = none
    char*     lib_name
    char*     lib_version
    char*     peer              # "ip:port" or socket path; malloc'd when first asked for
    int64_t   created_ms
    int64_t   active_ms         # last request
    int64_t   soft_limit_since  # s since when the output is over its soft limit; 0 = it is not
    uint64_t  net_input
    uint64_t  net_output
    uint64_t  commands
    uint64_t  looked_output     # net_output when the timer last looked
    int64_t   reply_peak_ms     # since when reply_peak is observed
    uint32_t  reply_peak        # most bytes of replies between two looks of the timer
    # state of a few sessions, each malloc'd when first needed
    uint64_t  queued_flags      # CommandFlag bits of all commands queued by MULTI
    size_t    queued_bytes      # memory of those commands
    size_t    state_bytes       # memory of what the session watches and subscribes to
    size_t    counted           # bytes of this session in Engine.client_bytes
    void*     transaction       # Transaction* (transaction.pyx)
    void*     watch             # Watch* list (watch.pyx)
    void*     subscriptions     # Subscriptions* (pubsub.pyx)
    Output*   pushes            # messages that its worker is to take: they follow the reply of its command; NULL = none
    void*     blocked           # Blocked* (blocking.pyx)
    void*     tracking          # Tracker* (tracking.pyx)
    void      (*blocked_on)(Session* s, int why) noexcept nogil  # unblocks with TIMEOUT (0) or ERROR (1)
    # the I/O model's
    int       fd                # -1 = none
    uint32_t  events            # what its descriptor is watched for: EPOLLIN, EPOLLOUT
    void*     model             # what the I/O model keeps for it
