"""PING, ECHO, QUIT, RESET and TIME: what a connection asks often or cannot ask of Python."""

from libc.stdint cimport int64_t
from minikv_core.clock cimport wall_us
from minikv_core.engine cimport (
    ALLOW_BUSY, FAST, IN_MULTI, IN_SUBSCRIBE, LOADING, NO_AUTH, NOSCRIPT, STALE, SUBSCRIBED, Session,
)
from minikv_core.registry cimport fn
from minikv_core.reply cimport reply_array, reply_bulk, reply_bulk_int, reply_ok, reply_simple, reply_text
from minikv_core.session cimport fail_arity, session_close, session_reset
from minikv_core.types cimport OK, Status

from minikv_core.registry import define

define("PING", fn(cmd_ping), arity=-1, flags=FAST | IN_SUBSCRIBE, group="connection", since="1.0.0", cost="O(1)",
       args="[message]", tips=("request_policy:all_shards", "response_policy:all_succeeded"),
       summary="Reply PONG, or the message given.")
cdef Status cmd_ping(Session* s) noexcept nogil:
    if s.argc > 2:
        return fail_arity(s)
    if s.gate & SUBSCRIBED and s.out.protocol == 2:     # a RESP2 subscriber must tell it from a message
        reply_array(&s.out, 2)
        reply_text(&s.out, b"pong")
        if s.argc == 1:
            reply_text(&s.out, b"")
            return OK
    if s.argc == 1:
        reply_simple(&s.out, b"PONG")
    else:
        reply_bulk(&s.out, s.argv[1].ptr, s.argv[1].len)
    return OK

define("ECHO", fn(cmd_echo), arity=2, flags=LOADING | STALE | FAST, group="connection", since="1.0.0", cost="O(1)",
       args="message", summary="Reply with the message given.")
cdef Status cmd_echo(Session* s) noexcept nogil:
    reply_bulk(&s.out, s.argv[1].ptr, s.argv[1].len)
    return OK

define("QUIT", fn(cmd_quit), arity=-1,
       flags=NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY | IN_MULTI | IN_SUBSCRIBE, group="connection",
       since="1.0.0", cost="O(1)", summary="Close the connection, after the replies that are owed.",
       deprecated_since="7.2.0", replaced_by="just closing the connection")
cdef Status cmd_quit(Session* s) noexcept nogil:
    reply_ok(&s.out)
    session_close(s, True)
    return OK

define("RESET", fn(cmd_reset), arity=1,
       flags=NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY | IN_MULTI | IN_SUBSCRIBE, group="connection",
       since="6.2.0", cost="O(1)", summary="Make the connection as it was when it was new, but for its library's name.")
cdef Status cmd_reset(Session* s) noexcept nogil:
    session_reset(s)
    reply_simple(&s.out, b"RESET")
    return OK

define("TIME", fn(cmd_time), arity=1, flags=LOADING | STALE | FAST, group="server", since="2.6.0", cost="O(1)",
       tips=("nondeterministic_output",), summary="Tell the Unix time: seconds, and microseconds of the second.")
cdef Status cmd_time(Session* s) noexcept nogil:
    cdef int64_t now = wall_us()
    reply_array(&s.out, 2)
    reply_bulk_int(&s.out, now // 1000000)
    reply_bulk_int(&s.out, now % 1000000)
    return OK
