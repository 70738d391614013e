"""The processes of a store, for Python: their places on the board, settings they follow, questions to all.

A question is a command that every other process runs; its replies come back to the asker. Who asks
writes the command on the board and gives the lock up; whoever takes the lock next finds it there and
answers first. A signal wakes those that wait for their sockets: it ends their system call, and they
pass through the lock.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy
from minikv_core.arena cimport arena_alloc, arena_at, arena_free
from minikv_core.board cimport MAX_PLACES, board_clear_place
from minikv_core.clock cimport monotonic_us, ticks
from minikv_core.cron cimport engine_timers
from minikv_core.engine cimport *
from minikv_core.handle cimport EngineHandle
from minikv_core.memory cimport load_u32, store_u32
from minikv_core.session cimport refresh_clock
from minikv_core.types cimport Ref
from minikv_core.undo cimport undo_commit
from minikv_core.watch cimport watch_forget
from minikv_core.worker cimport engine_enter, engine_leave, engine_rest

import logging
import os
import signal

from minikv_core.decode import decode
from minikv.errors import ReplyError

logger = logging.getLogger("minikv")

cdef enum:
    ASK_AGAIN_US = 2000         # between two signals to those that have not answered
    ASK_LIMIT_US = 1000000      # who has not answered by then is left out

WAKE_SIGNAL = signal.SIGUSR1
STATES = {PLACE_STARTING: "starting", PLACE_IDLE: "idle", PLACE_ACTIVE: "active", PLACE_ENDING: "ending"}

# ---------------------------------------------------------------- places


def attach(EngineHandle handle):
    """Let an engine follow what other processes write on the board."""
    handle.engine.on_settings = follow_settings
    handle.engine.on_question = answer_question


def reserve_place(EngineHandle handle):
    """A free place for a process that is about to be forked; None = all are taken."""
    cdef Board* b = handle.engine.board
    cdef int i
    for i in range(1, MAX_PLACES):
        if b.place[i].state == PLACE_FREE:
            b.place[i].state = PLACE_STARTING
            b.place[i].started_us = monotonic_us()
            return i
    return None


def take_place(EngineHandle handle, int index):
    """Make a forked child the process at a place."""
    cdef Engine* e = &handle.engine
    e.place = &e.board.place[index]
    e.place.pid = os.getpid()
    e.place.answered = e.board.question
    e.session_count = 0
    e.client_bytes = 0
    e.random = ticks() ^ <uint64_t>os.getpid() << 32
    e.keeps_store = False
    e.cron_due_us = 0
    follow_pause(e)


cdef void follow_pause(Engine* e) noexcept nogil:
    """Take part in a CLIENT PAUSE that began before this process, or without it."""
    e.pause_until_ms = e.board.pause_until_ms
    e.pause_all = e.board.pause_all
    if e.pause_until_ms > e.now_ms:
        e.gate |= GATE_PAUSED
    else:
        e.gate &= ~<uint32_t>GATE_PAUSED


def clear_place(EngineHandle handle, int index):
    """Free the place of a process that has ended; False = its last answer is still to be read."""
    cdef Engine* e = &handle.engine
    cdef Place* place = &e.board.place[index]
    cdef bint done = False, watched = place.watching != 0
    with nogil:
        engine_enter(&e.inner)
        if e.board.asker == place.pid:
            e.board.asker = 0           # it died while it asked
        if place.answer and e.board.asker == 0:
            drop_answer(e, place)
        if place.answer == 0:
            board_clear_place(e, index)
            done = True
            if watched and not anybody_watches(e):
                watch_forget(e)
        engine_leave(&e.inner)
    return done


cdef bint anybody_watches(const Engine* e) noexcept nogil:
    cdef int i
    for i in range(MAX_PLACES):
        if e.board.place[i].watching:
            return True
    return False


def places(EngineHandle handle):
    """A dict for each process but the master: index, pid, state, sessions, accepted, requests; and in microseconds
    age_us, busy_us (since its present request began) and idle_us (since it waits for a connection)."""
    cdef Board* b = handle.engine.board
    cdef int64_t now = monotonic_us()
    cdef int i
    found = []
    for i in range(1, MAX_PLACES):
        if b.place[i].state != PLACE_FREE:
            found.append({
                "index": i, "pid": b.place[i].pid, "state": STATES[b.place[i].state],
                "sessions": b.place[i].sessions, "accepted": b.place[i].accepted, "requests": b.place[i].requests,
                "age_us": now - b.place[i].started_us,
                "busy_us": now - b.place[i].busy_since_us if b.place[i].busy_since_us else 0,
                "idle_us": now - b.place[i].idle_since_us if b.place[i].state == PLACE_IDLE else 0,
            })
    return found


def recoveries(EngineHandle handle):
    """How often a process was killed in the middle of a change, which was then undone."""
    return handle.engine.board.recoveries


def is_shared(EngineHandle handle):
    """Whether several processes serve the store."""
    return handle.engine.arena.fd >= 0


def run_timers(EngineHandle handle):
    """The master's part: do what is due for the store; microseconds until the next, -1 = nothing is due."""
    cdef Engine* e = &handle.engine
    cdef int64_t wait
    with nogil:
        engine_enter(&e.inner)
        refresh_clock(e)
        follow_pause(e)
        wait = engine_timers(e)
        engine_leave(&e.inner)
    return wait

# ---------------------------------------------------------------- settings


def post_settings(EngineHandle handle, bytes text):
    """Let all other processes follow changed settings; inside a command. ValueError if the text is too long."""
    cdef Board* b = handle.engine.board
    if len(text) > <Py_ssize_t>sizeof(b.settings_text):
        raise ValueError("the changed settings are too long to share")
    memcpy(b.settings_text, PyBytes_AS_STRING(text), len(text))
    b.settings_length = <uint32_t>len(text)
    b.settings_version += 1
    handle.engine.settings_seen = b.settings_version


cdef void follow_settings(Engine* e) noexcept nogil:
    with gil:
        tell_settings(e)


cdef void tell_settings(Engine* e) noexcept:
    cdef EngineHandle handle = <EngineHandle>e.python
    try:
        handle.owner.follow_settings(PyBytes_FromStringAndSize(e.board.settings_text, e.board.settings_length))
    except Exception:
        logger.exception("another process's settings can't be followed")

# ---------------------------------------------------------------- questions


def ask(EngineHandle handle, tuple args):
    """Have every other process run a command; their replies, decoded. Inside a command.

    args     bytes; the command's name first
    """
    cdef Engine* e = &handle.engine
    cdef Board* b = e.board
    cdef int64_t deadline = monotonic_us() + ASK_LIMIT_US
    cdef uint64_t question
    cdef bytes text = b"".join(b"%d\n%b" % (len(arg), arg) for arg in args)
    cdef int i
    if len(text) > <Py_ssize_t>sizeof(b.question_text):
        raise ReplyError("ERR the command is too long for the other processes")
    while b.asker and monotonic_us() < deadline:        # somebody else asks: let them get their answers
        rest(e, ASK_AGAIN_US // 4)
    memcpy(b.question_text, PyBytes_AS_STRING(text), len(text))
    b.question_length = <uint32_t>len(text)
    b.question += 1
    b.asker = os.getpid()
    e.place.answered = question = b.question
    waiting = {i for i in range(1, MAX_PLACES) if b.place[i].pid and &b.place[i] != e.place}
    asked = list(waiting)
    try:
        while waiting and monotonic_us() < deadline:
            for i in waiting:
                try:
                    os.kill(b.place[i].pid, WAKE_SIGNAL)
                except ProcessLookupError:
                    pass
            rest(e, ASK_AGAIN_US // 10 if len(waiting) == len(asked) else ASK_AGAIN_US)
            waiting = {i for i in waiting if b.place[i].pid and b.place[i].answered < question}
        return [take_answer(e, i) for i in asked if b.place[i].answer]
    finally:
        b.asker = 0


cdef void rest(Engine* e, int64_t us) noexcept:
    with nogil:
        engine_rest(e, us)


cdef object take_answer(Engine* e, int index):
    cdef Place* place = &e.board.place[index]
    cdef char* block = arena_at(&e.arena, place.answer)
    cdef bytes raw = PyBytes_FromStringAndSize(block + 4, load_u32(block))
    drop_answer(e, place)
    return decode(raw, ReplyError)[0]


cdef void drop_answer(Engine* e, Place* place) noexcept nogil:
    """Free an answer: forgotten first, so that a process killed here may leak it, and never frees it twice."""
    cdef Ref ref = place.answer
    place.answer = 0
    arena_free(&e.arena, ref)


cdef void answer_question(Engine* e) noexcept nogil:
    with gil:
        answer(e)


cdef void answer(Engine* e) noexcept:
    """Run the command on the board and leave its reply in the arena."""
    cdef EngineHandle handle = <EngineHandle>e.python
    cdef bytes text = PyBytes_FromStringAndSize(e.board.question_text, e.board.question_length)
    cdef bytes reply
    cdef char* block
    cdef Ref ref
    args = []
    try:
        while text:
            length, _, text = text.partition(b"\n")
            args.append(text[:int(length)])
            text = text[int(length):]
        refresh_clock(e)
        reply = handle.execute_raw(0, 3, tuple(args))
    except Exception:
        logger.exception("another process's question can't be answered")
        return
    if e.place.answer:                  # its asker gave up
        drop_answer(e, e.place)
    ref = arena_alloc(&e.arena, len(reply) + 4)
    if ref:
        block = arena_at(&e.arena, ref)
        store_u32(block, <uint32_t>len(reply))
        memcpy(block + 4, PyBytes_AS_STRING(reply), len(reply))
        undo_commit(&e.arena)           # the board must not name what would be undone
        e.place.answer = ref
