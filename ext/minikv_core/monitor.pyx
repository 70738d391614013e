"""MONITOR: every command, as it has run, as a line to whoever asked.

A line shows time, database, where the client is, and the arguments in quotes. Commands that
administer the server are left out (the session sees to that), secrets are hidden. A command's line
comes behind its effects, so EXEC's comes behind those of the commands that it ran.
"""

from libc.stdint cimport int64_t, uint32_t
from libc.stdio cimport snprintf
from libc.stdlib cimport free, realloc
from libc.string cimport memmove, strlen
from minikv_core.clock cimport wall_us
from minikv_core.engine cimport (
    ADMIN, Engine, GATE_MONITORS, IN_EXEC, IS_INTERNAL, IS_MONITOR, IS_UNIX, LOADING, NOSCRIPT, REPLY_OFF, Session,
    STALE,
)
from minikv_core.output cimport Output, output_attach, output_free, output_init, output_put
from minikv_core.peer cimport peer_name
from minikv_core.registry cimport fn
from minikv_core.reply cimport reply_ok
from minikv_core.session cimport fail, fail_status, is_word, on_session_end, refuse_push, session_push
from minikv_core.types cimport FAILED, NO_MEMORY, OK, Status

from minikv_core.registry import define

cdef enum:
    LINE_BYTES = 4096           # stack room in which a line is written; what is longer is malloc'd

# ---------------------------------------------------------------- secrets

cdef inline bint is_name(const Session* s, const char* name) noexcept nogil:
    return is_word(&s.argv[0], name)

cdef bint is_secret(const Session* s, uint32_t index) noexcept nogil:
    """User and password of AUTH, of HELLO's AUTH option and of MIGRATE's AUTH and AUTH2."""
    cdef uint32_t i, n
    if is_name(s, b"auth"):
        return index > 0 and s.argc <= 3
    if is_name(s, b"hello"):
        i = 2
    elif is_name(s, b"migrate"):
        i = 6
    else:
        return False
    while i < s.argc and i < index:
        n = 0
        if is_word(&s.argv[i], b"auth"):
            n = 2 if is_name(s, b"hello") else 1
        elif is_word(&s.argv[i], b"auth2"):
            n = 2
        elif is_word(&s.argv[i], b"keys"):
            return False
        elif is_word(&s.argv[i], b"setname"):
            i += 1
        if index <= i + n and n:
            return True
        i += n + 1
    return False

# ---------------------------------------------------------------- lines

cdef void put_quoted(Output* o, const char* p, uint32_t n) noexcept nogil:
    """Bytes in double quotes; what is not printable ASCII as an escape sequence."""
    cdef char[8] escape
    cdef uint32_t i, done = 0
    cdef unsigned char c
    cdef int length
    output_put(o, b'"', 1)
    for i in range(n):
        c = <unsigned char>p[i]
        if 32 <= c < 127 and c != c'"' and c != c'\\':
            continue
        output_put(o, p + done, i - done)
        done = i + 1
        escape[0] = c'\\'
        length = 2
        if c == c'"' or c == c'\\':
            escape[1] = <char>c
        elif c == c'\n':
            escape[1] = c'n'
        elif c == c'\r':
            escape[1] = c'r'
        elif c == c'\t':
            escape[1] = c't'
        elif c == 7:
            escape[1] = c'a'
        elif c == c'\b':
            escape[1] = c'b'
        else:
            length = snprintf(escape, sizeof(escape), b"\\x%02x", c)
        output_put(o, escape, length)
    output_put(o, p + done, n - done)
    output_put(o, b'"', 1)

cdef void put_line(Output* o, Session* s) noexcept nogil:
    cdef char[64] head
    cdef const char* peer = peer_name(s)
    cdef int64_t now = wall_us()
    cdef uint32_t i
    output_put(o, head, snprintf(head, sizeof(head), b"+%lld.%06lld [%u ", <long long>(now // 1000000),
                                 <long long>(now % 1000000), s.db.id))
    if s.flags & IS_UNIX:
        output_put(o, b"unix:", 5)
    output_put(o, peer, strlen(peer))
    output_put(o, b"]", 1)
    for i in range(s.argc):
        output_put(o, b" ", 1)
        if is_secret(s, i):
            output_put(o, b'"(redacted)"', 12)
        else:
            put_quoted(o, s.argv[i].ptr, s.argv[i].len)
    output_put(o, b"\r\n", 2)

cdef void show_command(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef char[4096] room            # LINE_BYTES
    cdef Output line
    cdef uint32_t i
    output_init(&line, NULL)
    output_attach(&line, room, LINE_BYTES)
    put_line(&line, s)
    for i in range(e.monitors):
        if e.monitor_sessions[i].gate & REPLY_OFF == 0 and not line.broken:
            session_push(e.monitor_sessions[i], &line)
    output_free(&line)

# ---------------------------------------------------------------- the command

define("MONITOR", fn(cmd_monitor), arity=1, flags=ADMIN | NOSCRIPT | LOADING | STALE, group="server", since="1.0.0",
       summary="Show every command that the server runs from now on.")
cdef Status cmd_monitor(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Session** grown
    if s.flags & (IN_EXEC | IS_INTERNAL):
        return fail(s, b"ERR MONITOR isn't allowed for DENY BLOCKING client")
    if refuse_push(s):
        return FAILED
    if s.flags & IS_MONITOR:
        return OK
    grown = <Session**>realloc(e.monitor_sessions, (e.monitors + 1) * sizeof(Session*))
    if grown == NULL:
        return fail_status(s, NO_MEMORY)
    grown[e.monitors] = s
    e.monitor_sessions = grown
    e.monitors += 1
    e.on_monitor = show_command
    e.gate |= GATE_MONITORS
    s.flags |= IS_MONITOR
    reply_ok(&s.out)
    return OK

cdef void end_session(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef uint32_t i = 0
    if s.flags & IS_MONITOR == 0:
        return
    s.flags &= ~<uint32_t>IS_MONITOR
    while e.monitor_sessions[i] != s:
        i += 1
    e.monitors -= 1
    memmove(&e.monitor_sessions[i], &e.monitor_sessions[i + 1], (e.monitors - i) * sizeof(Session*))
    if e.monitors == 0:
        free(e.monitor_sessions)
        e.monitor_sessions = NULL
        e.gate &= ~<uint32_t>GATE_MONITORS

on_session_end(end_session)
