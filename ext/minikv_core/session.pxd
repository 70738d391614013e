# Sessions, sans I/O: bytes in, commands run, replies in the output.
#
# An I/O model makes a session per connection, hands it the bytes it receives (session_feed), sends
# what is in its output, and closes it when `gate` says so. Other sessions may get output while one
# runs (PUBLISH, MONITOR, CLIENT KILL): those are in Worker.ready, and the model looks at them
# before it waits (session_take_ready).
#
# Where several workers (threads or processes) serve one store, a worker calls all of this between
# engine_enter and engine_leave. Only a session's own worker touches its output, so it may send
# without the lock; others leave their messages in Session.pushes.
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t, uint64_t
from minikv_core.engine cimport CLOSE_AFTER, CLOSE_NOW, TO_RESUME, Command, Engine, Session, Worker
from minikv_core.output cimport Output
from minikv_core.parser cimport Parser
from minikv_core.types cimport Slice, Status

cdef enum:
    INBOX_BYTES = 16384         # least room to receive into, once an inbox exists

cdef Session* session_new(Worker* w, int fd, uint32_t flags) noexcept nogil     # NULL = no memory
cdef void session_free(Session* s) noexcept nogil
# The same but for the struct itself, which the caller still needs and frees.
cdef void session_release(Session* s) noexcept nogil

# Run the whole requests in inbox + bytes[0:n). `bytes` is the model's own buffer: it may be changed,
# and what is not whole yet is copied to the inbox. The replies lie in the worker's scratch buffer:
# the caller sends s.out (output_vector, output_sent) and calls session_settle, at once or after it
# has fed other sessions (session_hold), but before it waits.
cdef void session_feed(Session* s, char* bytes, size_t n) noexcept nogil
# Keep a session's output in the scratch buffer while others run; False = settle all held ones now.
cdef bint session_hold(Session* s) noexcept nogil
# Go on with the requests in the inbox, after WAITING has ended.
cdef void session_resume(Session* s) noexcept nogil
# After sending: unsent bytes move to the session's own queue, output limits are checked.
cdef void session_settle(Session* s) noexcept nogil
cdef inline bint wants_resume(const Session* s) noexcept nogil:
    """Whether session_resume is to be called for a session that was ready."""
    return s.flags & TO_RESUME != 0 and s.gate & (CLOSE_AFTER | CLOSE_NOW) == 0
# Where to receive: in a big argument's block, or in the inbox when much is kept there; NULL = the
# model's own buffer, to be given to session_feed. After receiving there: session_received.
cdef char* session_receive_room(Session* s, size_t* n) noexcept nogil
cdef void session_received(Session* s, size_t n) noexcept nogil

# Run one command given as slices (Store.execute, EXEC), in the middle of another or alone. Output
# must be attached. Blocks in the slices stay the caller's unless the command zeroed them.
cdef void session_run(Session* s, Slice* argv, uint32_t argc) noexcept nogil

# Run a command that waits once more (blocking.pyx); the output is attached.
cdef Status session_retry(Session* s, Slice* argv, uint32_t argc) noexcept nogil

# Send what is no reply (a message, a line of MONITOR): at once, or, to the session that runs, behind
# its command's reply. It is sent whatever CLIENT REPLY says. The bytes are copied; no block is among them.
cdef void session_push(Session* s, const Output* message) noexcept nogil
# Whether the I/O model can't deliver such messages; then an error has been written (SUBSCRIBE, MONITOR).
cdef bint refuse_push(Session* s) noexcept nogil
# Let the I/O model look at another session (it got output, or must be closed).
cdef void session_make_ready(Session* s) noexcept nogil
# All that are ready, a chain through next_ready; the model clears IN_READY as it looks at each.
cdef Session* session_take_ready(Worker* w) noexcept nogil
cdef void session_take_pushes(Session* s) noexcept nogil    # what others left, to the output
cdef void session_close(Session* s, bint after_output) noexcept nogil
cdef void session_wait(Session* s) noexcept nogil       # hold back further requests
cdef void session_continue(Session* s) noexcept nogil   # ... and let them run again
cdef void session_reset(Session* s) noexcept nogil      # RESET: as after connecting, without touching the reply state
cdef size_t session_memory(Session* s) noexcept nogil   # CLIENT LIST tot-mem
cdef void evict_sessions(Engine* e) noexcept nogil      # keep maxmemory-clients
# For the timers (cron.pyx).
cdef void count_memory(Session* s) noexcept nogil       # add what it holds now to Engine.client_bytes
cdef void check_output_limit(Session* s) noexcept nogil     # close it if more is owed than its class may be
cdef void unread_big(Session* s) noexcept nogil         # the room for a big argument goes back
cdef bint holds_block(const Parser* parser) noexcept nogil
cdef void select_database(Session* s, uint32_t index) noexcept nogil

# Read the clock: I/O models once a turn, before they feed sessions.
cdef void refresh_clock(Engine* e) noexcept nogil

# Error replies of commands: write, count, and return FAILED. Text with its code: "ERR syntax error".
cdef Status fail(Session* s, const char* text) noexcept nogil
cdef Status fail_bytes(Session* s, const char* p, size_t n) noexcept nogil
cdef Status fail_status(Session* s, Status status) noexcept nogil      # BAD_INT, NO_MEMORY, ...
cdef Status fail_arity(Session* s) noexcept nogil
cdef Status fail_subcommand(Session* s) noexcept nogil

cdef Status fail_syntax(Session* s) noexcept nogil
cdef Status fail_wrong_type(Session* s) noexcept nogil

# Whether an argument is a word, in any case (`word` in lower case).
cdef bint is_word(const Slice* arg, const char* word) noexcept nogil

# Session.transaction and its like are freed by their modules through these, set at import.
ctypedef void (*SessionHook)(Session* s) noexcept nogil
cdef void on_session_end(SessionHook hook) noexcept nogil       # also called by session_reset

# Inside MULTI: transaction.pyx queues the command; and drops the queue when EXEC itself is refused.
cdef void on_queue(SessionHook queue, SessionHook discard) noexcept nogil
