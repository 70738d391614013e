"""Commands written in Python.

A function gets a SessionView and the arguments as bytes, and returns the reply as a Python value:

    int -> integer            bytes, str -> bulk string       None -> null
    bool -> boolean           float -> double                 dict -> map
    list, tuple -> array      SetReply, set -> set            Simple(text) -> simple string
    Verbatim(text, "txt") -> verbatim string                  Push([...]) -> push
    ReplyError, raised or inside a list -> error              NO_REPLY -> nothing is written
    Attributes({...}) -> attributes of what follows           Several([...]) -> these, one behind the other

It runs in the engine's thread with the GIL, between two other commands: it is atomic, and it must
not wait. Where it raises anything but ReplyError, the client gets an error and the log the traceback;
so too, in the place of a value that is none of these.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy
from minikv_core.engine cimport *
from minikv_core.handle cimport EngineHandle
from minikv_core.numbers cimport format_int
from minikv_core.output cimport output_pending
from minikv_core.parser cimport parser_big_bytes
from minikv_core.peer cimport local_name, peer_name
from minikv_core.pubsub cimport CHANNEL, PATTERN, SHARD, subscription_count
from minikv_core.registry cimport set_python_runner
from minikv_core.reply cimport *
from minikv_core.session cimport (
    refresh_clock,
    fail_bytes, on_session_end, select_database, session_close, session_continue, session_memory, session_reset,
)
from minikv_core.tracking cimport (
    tracking_cache, tracking_options, tracking_prefix, tracking_redirect, tracking_start, tracking_stop,
)
from minikv_core.transaction cimport queued_count
from minikv_core.types cimport NO_MEMORY, OK, Slice, Status
from minikv_core.watch cimport watch_count, watch_failed

import logging

from minikv.errors import ReplyError

logger = logging.getLogger("minikv")

cdef enum:
    NESTING_MAX = 128           # containers within containers; each takes some of the C stack


class Simple(str):
    """Goes out as a simple string: +text."""


class Verbatim(str):
    """Goes out as a verbatim string of kind txt (a bulk string in RESP2)."""


class Push(list):
    """Goes out as a push message (an array in RESP2)."""


class SetReply(list):
    """Goes out as a set (an array in RESP2), in this order; its items need not be hashable."""


class Attributes(dict):
    """Goes out as attributes of the reply that follows in Several (nothing in RESP2)."""


class Several(list):
    """Goes out as its items, one behind the other, without a header of their own."""


class NullArray:
    """Goes out as a null array (*-1 in RESP2)."""


OK_REPLY = Simple("OK")
NO_REPLY = object()         # nothing is written
NULL_ARRAY = NullArray()


# ---------------------------------------------------------------- sessions as Python sees them

cdef class SessionView:
    """One client.

    A view is good while the command that got it runs; after that every use raises RuntimeError.
    """

    cdef Session* get(self) except NULL:
        if self.session == NULL:
            raise RuntimeError("the command that this session was given to has ended")
        return self.session

    @property
    def server(self):
        """The Server or Store that the command runs in."""
        return self.engine.owner

    @property
    def id(self):
        return self.get().id

    @property
    def database(self):
        return self.get().db.id

    @database.setter
    def database(self, uint32_t index):
        select_database(self.get(), index)

    @property
    def protocol(self):
        return self.get().out.protocol

    @protocol.setter
    def protocol(self, int version):
        self.get().out.protocol = <unsigned char>version

    @property
    def name(self):
        return text_or_none(self.get().name)

    @name.setter
    def name(self, bytes value):
        set_text(&self.get().name, value)

    @property
    def lib_name(self):
        return text_or_none(self.get().lib_name)

    @lib_name.setter
    def lib_name(self, bytes value):
        set_text(&self.get().lib_name, value)

    @property
    def lib_version(self):
        return text_or_none(self.get().lib_version)

    @lib_version.setter
    def lib_version(self, bytes value):
        set_text(&self.get().lib_version, value)

    @property
    def fd(self):
        return self.get().fd

    @property
    def address(self):
        """Where the client is: "ip:port", or "path:0" of a Unix socket."""
        return <bytes>peer_name(self.get()) + (b":0" if self.get().flags & IS_UNIX else b"")

    @property
    def local_address(self):
        """The server's end of the connection."""
        cdef char[128] text
        local_name(self.get(), text, sizeof(text))
        return <bytes>text + (b":0" if self.get().flags & IS_UNIX else b"")

    @property
    def is_local(self):
        """Whether the client is on this machine, for all that is known."""
        return self.get().flags & (IS_UNIX | IS_INTERNAL) != 0 or self.address.startswith((b"127.", b"[::1]"))

    @property
    def gate(self):
        """SessionGate bits (engine.pxd)."""
        return self.get().gate

    @gate.setter
    def gate(self, uint32_t bits):
        self.get().gate = bits

    @property
    def flags(self):
        """SessionFlag bits (engine.pxd)."""
        return self.get().flags

    @flags.setter
    def flags(self, uint32_t bits):
        self.get().flags = bits

    @property
    def last_command(self):
        """Full lower-case name of the last command, or None."""
        cdef Session* s = self.get()
        if s == self.engine.engine.current and s.command != NULL:
            return (<bytes>s.command.name).decode()
        return (<bytes>s.last_command.name).decode() if s.last_command != NULL else None

    @property
    def figures(self):
        """Numbers for CLIENT LIST: bytes, counts and times (ms); queued_commands is -1 outside MULTI."""
        cdef Session* s = self.get()
        return {
            "created_ms": s.created_ms, "active_ms": s.active_ms,
            "input": request_bytes(s) if s == s.engine.current else s.inbox_len + parser_big_bytes(&s.parser),
            "input_room": s.inbox_room + (s.parser.bulk + 2 if s.parser.big else 0), "args": args_bytes(s),
            "out_buffer": <size_t>(s.out.pos - s.out.base),
            "out_nodes": s.out.nodes + (s.pushes.nodes if s.pushes != NULL else 0), "out_bytes": queue_bytes(s),
            "pending": output_pending(&s.out), "memory": session_memory(s),
            "channels": subscription_count(s, CHANNEL), "patterns": subscription_count(s, PATTERN),
            "shard_channels": subscription_count(s, SHARD),
            "queued": s.queued_bytes, "queued_commands": queued_count(s), "watched": watch_count(s),
            "watch_failed": watch_failed(s), "net_input": s.net_input, "net_output": s.net_output,
            "commands": s.commands, "reply_room": s.out.first_room, "reply_peak": s.reply_peak,
        }

    @property
    def tracking(self):
        """(TRACK_ bits, number of the session that gets the messages, prefixes) of CLIENT TRACKING; None = off.

        The number is 0 if this session itself gets them.
        """
        cdef Session* s = self.get()
        cdef Slice prefix
        cdef uint32_t i = 0
        if s.gate & TRACKING == 0:
            return None
        prefixes = []
        while tracking_prefix(s, i, &prefix):
            prefixes.append(PyBytes_FromStringAndSize(prefix.ptr, prefix.len))
            i += 1
        return tracking_options(s), tracking_redirect(s), sorted(prefixes)

    def track(self, int options, SessionView to, list prefixes):
        """Turn CLIENT TRACKING on, or add prefixes and replace the other options.

        to       session that gets the messages; None = this one
        errors   MemoryError
        """
        cdef Session* s = self.get()
        cdef Slice* names = <Slice*>malloc((len(prefixes) + 1) * sizeof(Slice))
        cdef uint32_t i
        cdef Status status = NO_MEMORY
        if names != NULL:
            for i in range(<uint32_t>len(prefixes)):
                names[i].ptr = PyBytes_AS_STRING(prefixes[i])
                names[i].len = <uint32_t>PyBytes_GET_SIZE(prefixes[i])
            status = tracking_start(s, options, to.get() if to is not None else NULL, names, <uint32_t>len(prefixes))
        free(names)
        if status != OK:
            raise MemoryError("no memory for CLIENT TRACKING")

    def end_tracking(self):
        tracking_stop(self.get())

    def choose_caching(self):
        """CLIENT CACHING, in a session that tracks."""
        tracking_cache(self.get())

    def reset(self):
        """What RESET does, but for its reply."""
        session_reset(self.get())

    def close(self, bint after_output=True):
        """Close the connection, after what is owed has been sent or at once."""
        session_close(self.get(), after_output)

    def unblock(self, bint error):
        """End a blocking command as by its timeout, or with an error; False if none is waiting."""
        cdef Session* s = self.get()
        if s.blocked_on == NULL:
            return False
        s.blocked_on(s, error)
        return True

    def execute(self, *args):
        """Run another command on this session's database, with its protocol's reply shapes; see Store.execute."""
        cdef Session* s = self.get()
        return self.engine.execute(s.db.id, s.out.protocol, args)

    def __eq__(self, other):
        return isinstance(other, SessionView) and self.session == (<SessionView>other).session

    def __hash__(self):
        return hash(<size_t>self.session)


cdef SessionView view_of(EngineHandle handle, Session* s):
    cdef SessionView view = SessionView.__new__(SessionView)
    view.session = s
    view.engine = handle
    handle.views.append(view)
    return view


def sessions(EngineHandle handle):
    """Views of all clients, oldest first; internal sessions are left out."""
    cdef Session* s = handle.engine.sessions
    found = []
    while s != NULL:
        if s.flags & IS_INTERNAL == 0:
            found.append(view_of(handle, s))
        s = s.next
    found.reverse()
    return found


def find_session(EngineHandle handle, int64_t number):
    """A view of the client with that id, or None."""
    cdef Session* s = handle.engine.sessions
    while s != NULL and (<int64_t>s.id != number or s.flags & IS_INTERNAL):
        s = s.next
    return view_of(handle, s) if s != NULL else None


def pause(EngineHandle handle, int64_t until_ms, bint everything):
    """CLIENT PAUSE: hold back writes, or everything, until a Unix time in ms; 0 = end the pause."""
    cdef Engine* e = &handle.engine
    if until_ms:
        e.pause_all = everything if not e.gate & GATE_PAUSED else everything or e.pause_all
        if not e.gate & GATE_PAUSED or until_ms > e.pause_until_ms:
            e.pause_until_ms = until_ms
        e.gate |= GATE_PAUSED
        e.cron_due_us = 0
    else:
        end_pause(e)
    e.board.pause_until_ms = e.pause_until_ms
    e.board.pause_all = e.pause_all


cdef void end_pause(Engine* e) noexcept nogil:
    """Let everybody go on whom CLIENT PAUSE has held back."""
    cdef Session* s = e.sessions
    e.gate &= ~<uint32_t>GATE_PAUSED
    e.pause_until_ms = 0
    e.expire_due_us = 0
    while s != NULL:
        if s.flags & IS_PAUSED:
            session_continue(s)
        s = s.next


def stop(EngineHandle handle, int status):
    """Make the I/O model stop after this turn, with an exit status."""
    handle.engine.stopping = True
    handle.engine.stop_status = status


cdef size_t queue_bytes(const Session* s) noexcept nogil:
    """Bytes of output that are queued, its worker's and what others left."""
    return s.out.held + (s.pushes.held if s.pushes != NULL else 0)


cdef size_t args_bytes(Session* s) noexcept nogil:
    cdef size_t n = 0
    cdef uint32_t i
    if s == s.engine.current:
        for i in range(s.argc):
            n += s.argv[i].len
    return n


cdef size_t request_bytes(Session* s) noexcept nogil:
    """Bytes that the request which runs takes on the wire."""
    cdef char[24] digits
    cdef size_t n = 3 + format_int(digits, s.argc)
    cdef uint32_t i
    for i in range(s.argc):
        n += 5 + format_int(digits, s.argv[i].len) + s.argv[i].len
    return n


cdef object text_or_none(const char* text):
    return None if text == NULL else <bytes>text


cdef int set_text(char** place, bytes value) except -1:
    """Replace a malloc'd text; an empty one becomes none."""
    cdef Py_ssize_t n = PyBytes_GET_SIZE(value)
    cdef char* copy = NULL
    if n:
        copy = <char*>malloc(n + 1)
        if copy == NULL:
            raise MemoryError
        memcpy(copy, PyBytes_AS_STRING(value), n + 1)
    free(place[0])
    place[0] = copy
    return 0


# ---------------------------------------------------------------- calling

cdef Status run_python(Session* s) noexcept nogil:
    cdef Status status
    with gil:
        status = call_function(s)
    refresh_clock(s.engine)     # Python takes its time
    return status


cdef Status call_function(Session* s) noexcept:
    cdef EngineHandle handle = <EngineHandle>s.engine.python
    cdef uint32_t i, first = 1 if s.command.parent == NULL else 2
    cdef list outer = handle.views
    cdef list views = []
    handle.views = views
    try:
        args = [PyBytes_FromStringAndSize(s.argv[i].ptr, s.argv[i].len) for i in range(first, s.argc)]
        value = (<object>s.command.python)(view_of(handle, s), *args)
        return OK if value is NO_REPLY else write_value(s, value, 0)
    except Exception as error:
        return fail_exception(s, error)
    finally:
        for view in views:
            (<SessionView>view).session = NULL
        handle.views = outer


cdef Status fail_exception(Session* s, object error) noexcept:
    """Answer with a ReplyError's text; log anything else and answer with its name."""
    cdef bytes raw
    if isinstance(error, ReplyError):
        text = str(error)
    else:
        logger.error("command %s failed", (<bytes>s.command.name).decode(), exc_info=error)
        text = f"ERR {type(error).__name__}: {error}"
    try:
        raw = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raw = text.encode("utf-8", "backslashreplace")
    return fail_bytes(s, PyBytes_AS_STRING(raw), PyBytes_GET_SIZE(raw))


cdef Status write_value(Session* s, object value, uint32_t depth) noexcept:
    """Write a Python value as a reply; what can't be written becomes an error in its place.

    depth    of the containers around it
    """
    try:
        if depth == NESTING_MAX:
            raise ValueError("a reply is nested too deeply")
        if isinstance(value, (list, tuple, set, frozenset)):
            write_items(s, value, depth)
        elif isinstance(value, dict):
            write_pairs(s, value, depth)
        elif isinstance(value, ReplyError):
            return fail_exception(s, value)
        else:
            write_scalar(s, value)
        return OK
    except Exception as error:
        return fail_exception(s, error)


cdef int write_items(Session* s, object value, uint32_t depth) except -1:
    cdef list items = list(value)
    if isinstance(value, Several):
        pass
    elif isinstance(value, Push):
        reply_push(&s.out, len(items))
    elif isinstance(value, (SetReply, set, frozenset)):
        reply_set(&s.out, len(items))
    else:
        reply_array(&s.out, len(items))
    for item in items:
        write_value(s, item, depth + 1)
    return 0


cdef int write_pairs(Session* s, object value, uint32_t depth) except -1:
    cdef list pairs = list(value.items())
    if not isinstance(value, Attributes):
        reply_map(&s.out, len(pairs))
    elif s.out.protocol == 2:
        return 0
    else:
        reply_attribute(&s.out, len(pairs))
    for key, item in pairs:
        write_value(s, key, depth + 1)
        write_value(s, item, depth + 1)
    return 0


cdef int write_scalar(Session* s, object value) except -1:
    """Write a value that holds no others; nothing has been written if it raises."""
    cdef bytes raw
    if value is None:
        reply_null(&s.out)
    elif isinstance(value, bytes):
        reply_bulk(&s.out, PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
    elif isinstance(value, bool):
        reply_bool(&s.out, value)
    elif isinstance(value, int):
        if -(1 << 63) <= value < (1 << 63):
            reply_int(&s.out, value)
        else:
            raw = str(value).encode()
            reply_big_number(&s.out, PyBytes_AS_STRING(raw), PyBytes_GET_SIZE(raw))
    elif isinstance(value, float):
        reply_double(&s.out, value)
    elif isinstance(value, str):
        raw = value.encode("utf-8", "surrogateescape")
        if isinstance(value, Simple):
            reply_simple(&s.out, PyBytes_AS_STRING(raw))
        elif isinstance(value, Verbatim):
            reply_verbatim(&s.out, PyBytes_AS_STRING(raw), PyBytes_GET_SIZE(raw), b"txt")
        else:
            reply_bulk(&s.out, PyBytes_AS_STRING(raw), PyBytes_GET_SIZE(raw))
    elif value is NULL_ARRAY:
        reply_null_array(&s.out)
    else:
        raise TypeError(f"{type(value).__name__} is not a reply")
    return 0


# ---------------------------------------------------------------- reports that Python collects

cdef void report_slow(Session* s, uint64_t us) noexcept nogil:
    with gil:
        tell_slow(s, us)


cdef void tell_slow(Session* s, uint64_t us) noexcept:
    cdef EngineHandle handle = <EngineHandle>s.engine.python
    cdef Py_ssize_t before = len(handle.views)
    cdef uint32_t i
    if handle.on_slow is None:
        return
    try:
        handle.on_slow([PyBytes_FromStringAndSize(s.argv[i].ptr, s.argv[i].len) for i in range(s.argc)], us,
                       view_of(handle, s))
    except Exception:
        logger.exception("the slow log failed")
    while len(handle.views) > before:
        (<SessionView>handle.views.pop()).session = NULL


cdef void report_latency(Engine* e, const char* event, uint64_t ms) noexcept nogil:
    with gil:
        tell_latency(e, event, ms)


cdef void tell_latency(Engine* e, const char* event, uint64_t ms) noexcept:
    cdef EngineHandle handle = <EngineHandle>e.python
    if handle.on_latency is None:
        return
    try:
        handle.on_latency((<bytes>event).decode(), ms)
    except Exception:
        logger.exception("the latency monitor failed")


cdef void note_cut(Session* s) noexcept nogil:
    """A session ends: was its peer in the middle of a request?"""
    if s.flags & PEER_DONE and s.gate & WAITING == 0 and (s.inbox_len or s.parser.missing or s.parser.big):
        with gil:
            tell_cut(s)


cdef void tell_cut(Session* s) noexcept:
    logger.debug("%s has closed in the middle of a request: %d bytes are dropped",
                 (<bytes>peer_name(s)).decode(errors="replace"), s.inbox_len + parser_big_bytes(&s.parser))


def attach(EngineHandle handle):
    """Let an engine report to its handle."""
    handle.engine.on_slow = report_slow
    handle.engine.on_latency = report_latency
    handle.engine.end_pause = end_pause


set_python_runner(run_python)
on_session_end(note_cut)
