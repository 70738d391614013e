"""Lists: moves from one to another, the first of several that has elements, and the commands that wait for one."""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy
from minikv_core.blocking cimport block_on_keys, parse_timeout
from minikv_core.engine cimport (
    BLOCKING, DENYOOM, EVENT_LIST, EVENT_NEW, IN_EXEC, IS_INTERNAL, WRITE, Engine, Session,
)
from minikv_core.keyspace cimport LOOK_NO_TOUCH, LOOK_WRITE, Found, key_hash, look_up, notify
from minikv_core.listblocks cimport ElementWalk, walk_back, walk_next
from minikv_core.numbers cimport parse_int
from minikv_core.packed cimport Item, item_text, packed_read
from minikv_core.registry cimport fn
from minikv_core.reply cimport reply_array, reply_bulk, reply_null, reply_null_array
from minikv_core.session cimport fail, fail_status, fail_syntax, fail_wrong_type, is_word
from minikv_core.t_list cimport is_large, is_list, list_length, list_push, list_rotate, list_seek
from minikv_core.t_list_commands cimport list_changed, list_popped, parse_end, reply_elements
from minikv_core.types cimport FAILED, LIST, NO_MEMORY, OK, Slice, Status

from minikv_core.registry import KeyNum, KeySpec, define

cdef enum:
    STACK_BYTES = 256       # an element of at most so many is copied to the stack while it moves

cdef struct Pop:            # what LMPOP and BLMPOP ask for
    uint32_t keys           # index of the first key
    uint32_t key_count
    bint     at_head
    int64_t  count          # most elements

# ---------------------------------------------------------------- moving

cdef void end_element(Engine* e, Found* f, bint at_head, char* digits, Slice* value) noexcept nogil:
    """The element at an end of a list."""
    cdef ElementWalk w
    cdef Item item
    list_seek(e, f.entry, 0 if at_head else list_length(e, f.entry), &w)
    packed_read(walk_next(&w) if at_head else walk_back(&w), &item)
    item_text(&item, digits, value)


cdef Status put_element(Session* s, Found* f, const Slice* value, bint from_head, bint to_head) noexcept nogil:
    """Push a copy of the source's end element to the target, then drop it from the source (f)."""
    cdef Engine* e = s.engine
    cdef Slice* source = &s.argv[1]
    cdef Slice* target = &s.argv[2]
    cdef Found t
    cdef bint same = source.len == target.len and memcmp(source.ptr, target.ptr, source.len) == 0
    cdef bint fresh = not look_up(s, target, key_hash(e, target), LOOK_WRITE, &t)
    if not fresh and not is_list(t.entry):
        return fail_wrong_type(s)
    if same and not is_large(t.entry):
        # what goes comes back at once: no room is needed and the form stays
        if from_head != to_head and not list_rotate(e, &t, from_head):
            return fail_status(s, NO_MEMORY)
    elif list_push(e, s.db, target, &t, value, to_head) != OK:
        return fail_status(s, NO_MEMORY)
    reply_bulk(&s.out, value.ptr, value.len)
    if fresh:
        notify(e, EVENT_NEW, b"new", target, s.db)
    list_changed(s, target, &t, 0)          # a move counts as one change, the source's
    notify(e, EVENT_LIST, b"lpush" if to_head else b"rpush", target, s.db)
    if same and not is_large(t.entry):
        notify(e, EVENT_LIST, b"lpop" if from_head else b"rpop", source, s.db)
        list_changed(s, source, &t, 1)
        return OK
    look_up(s, source, s.hash, LOOK_WRITE | LOOK_NO_TOUCH, f)       # the new key may have moved it
    list_popped(s, source, f, 1, from_head)
    return OK


cdef Status move_element(Session* s, Found* f, bint from_head, bint to_head) noexcept nogil:
    """Move an end element of the list at argv[1], which is there, to the list at argv[2]."""
    cdef char[32] digits
    cdef char[STACK_BYTES] room
    cdef Slice value
    cdef Status status
    cdef char* copy = room
    if not is_list(f.entry):
        return fail_wrong_type(s)
    end_element(s.engine, f, from_head, digits, &value)
    if value.len > STACK_BYTES:
        copy = <char*>malloc(value.len)
        if copy == NULL:
            return fail_status(s, NO_MEMORY)
    if value.len:
        memcpy(copy, value.ptr, value.len)
    value.ptr = copy
    status = put_element(s, f, &value, from_head, to_head)
    if copy != <char*>room:
        free(copy)
    return status


cdef Status move_now(Session* s, bint from_head, bint to_head) noexcept nogil:
    cdef Found f
    if not look_up(s, &s.argv[1], s.hash, LOOK_WRITE, &f):
        reply_null(&s.out)
        return OK
    return move_element(s, &f, from_head, to_head)


cdef Status move_or_wait(Session* s, bint from_head, bint to_head, const Slice* timeout) noexcept nogil:
    cdef Found f
    cdef int64_t deadline
    if not parse_timeout(s, timeout, False, &deadline):
        return FAILED
    if look_up(s, &s.argv[1], s.hash, LOOK_WRITE, &f):
        return move_element(s, &f, from_head, to_head)
    if s.flags & (IN_EXEC | IS_INTERNAL):       # as LMOVE: not the null array of those who have waited
        reply_null(&s.out)
        return OK
    return block_on_keys(s, 1, 1, LIST, 0, deadline)


MOVE_KEYS = (KeySpec(1, 1, 1, "RW access delete"), KeySpec(2, 2, 1, "RW insert"))

define("LMOVE", fn(cmd_lmove), arity=5, flags=WRITE | DENYOOM, keys=MOVE_KEYS, group="list", since="6.2.0",
       cost="O(1)", args="source destination <LEFT|RIGHT> <LEFT|RIGHT>",
       summary="Moves an element from an end of one list to an end of another and returns it.")
cdef Status cmd_lmove(Session* s) noexcept nogil:
    cdef bint from_head, to_head
    if parse_end(s, &s.argv[3], &from_head) != OK or parse_end(s, &s.argv[4], &to_head) != OK:
        return FAILED
    return move_now(s, from_head, to_head)


define("RPOPLPUSH", fn(cmd_rpoplpush), arity=3, flags=WRITE | DENYOOM, keys=MOVE_KEYS, group="list", since="1.2.0",
       cost="O(1)", args="source destination",
       deprecated_since="6.2.0", replaced_by="`LMOVE` with the `RIGHT` and `LEFT` arguments",
       summary="Moves the last element of a list to the front of another and returns it.")
cdef Status cmd_rpoplpush(Session* s) noexcept nogil:
    return move_now(s, False, True)


define("BLMOVE", fn(cmd_blmove), arity=6, flags=WRITE | DENYOOM | BLOCKING, keys=MOVE_KEYS, group="list", since="6.2.0",
       cost="O(1)", args="source destination <LEFT|RIGHT> <LEFT|RIGHT> timeout:double",
       summary="Does what LMOVE does, as soon as the first list has an element.")
cdef Status cmd_blmove(Session* s) noexcept nogil:
    cdef bint from_head, to_head
    if parse_end(s, &s.argv[3], &from_head) != OK or parse_end(s, &s.argv[4], &to_head) != OK:
        return FAILED
    return move_or_wait(s, from_head, to_head, &s.argv[5])


define("BRPOPLPUSH", fn(cmd_brpoplpush), arity=4, flags=WRITE | DENYOOM | BLOCKING, keys=MOVE_KEYS, group="list",
       since="2.2.0", cost="O(1)", args="source destination timeout:double",
       history=(("6.0.0", "The timeout may be a fraction."),),
       deprecated_since="6.2.0", replaced_by="`BLMOVE` with the `RIGHT` and `LEFT` arguments",
       summary="Does what RPOPLPUSH does, as soon as the first list has an element.")
cdef Status cmd_brpoplpush(Session* s) noexcept nogil:
    return move_or_wait(s, False, True, &s.argv[3])

# ---------------------------------------------------------------- the first list that has elements

cdef Status find_list(Session* s, uint32_t first, uint32_t count, uint32_t* at, Found* f) noexcept nogil:
    """Find the first key that exists (f.entry = NULL: none does); FAILED after an error reply."""
    cdef uint32_t i
    f.entry = NULL
    for i in range(first, first + count):
        if look_up(s, &s.argv[i], key_hash(s.engine, &s.argv[i]), LOOK_WRITE, f):
            if not is_list(f.entry):
                return fail_wrong_type(s)
            at[0] = i
            return OK
    return OK


cdef Status parse_pop(Session* s, uint32_t at, Pop* pop) noexcept nogil:
    """Read `numkeys key ... LEFT|RIGHT [COUNT n]` from argv[at] on."""
    cdef int64_t keys
    cdef bint counted = False
    if not parse_int(s.argv[at].ptr, s.argv[at].len, &keys) or keys <= 0:
        return fail(s, b"ERR numkeys should be greater than 0")
    if keys >= <int64_t>s.argc - at - 1:
        return fail_syntax(s)
    pop.keys = at + 1
    pop.key_count = <uint32_t>keys
    pop.count = 1
    at += 1 + pop.key_count
    if parse_end(s, &s.argv[at], &pop.at_head) != OK:
        return FAILED
    at += 1
    while at < s.argc:
        if counted or at + 1 == s.argc or not is_word(&s.argv[at], b"count"):
            return fail_syntax(s)
        if not parse_int(s.argv[at + 1].ptr, s.argv[at + 1].len, &pop.count) or pop.count <= 0:
            return fail(s, b"ERR count should be greater than 0")
        counted = True
        at += 2
    return OK


cdef void pop_some(Session* s, const Slice* key, Found* f, const Pop* pop) noexcept nogil:
    """Reply with a key and elements of its list, and remove them."""
    cdef ElementWalk w
    cdef uint64_t length = list_length(s.engine, f.entry)
    cdef uint64_t n = min(length, <uint64_t>pop.count)
    reply_array(&s.out, 2)
    reply_bulk(&s.out, key.ptr, key.len)
    reply_array(&s.out, <int64_t>n)
    list_seek(s.engine, f.entry, 0 if pop.at_head else length, &w)
    reply_elements(&s.out, &w, n, not pop.at_head)
    list_popped(s, key, f, n, pop.at_head)


define("LMPOP", fn(cmd_lmpop), arity=-4, flags=WRITE, keys=KeyNum(1, 2, "RW access delete"), group="list",
       since="7.0.0", cost="O(N+M) for N keys and M elements returned",
       args="numkeys key [key ...] <LEFT|RIGHT> [COUNT count]",
       summary="Removes elements from an end of the first list that exists and returns them.")
cdef Status cmd_lmpop(Session* s) noexcept nogil:
    cdef Pop pop
    cdef Found f
    cdef uint32_t at
    if parse_pop(s, 1, &pop) != OK or find_list(s, pop.keys, pop.key_count, &at, &f) != OK:
        return FAILED
    if f.entry == NULL:
        reply_null_array(&s.out)
    else:
        pop_some(s, &s.argv[at], &f, &pop)
    return OK


define("BLMPOP", fn(cmd_blmpop), arity=-5, flags=WRITE | BLOCKING, keys=KeyNum(2, 3, "RW access delete"), group="list",
       since="7.0.0", cost="O(N+M) for N keys and M elements returned",
       args="timeout:double numkeys key [key ...] <LEFT|RIGHT> [COUNT count]",
       summary="Does what LMPOP does, as soon as one of the lists exists.")
cdef Status cmd_blmpop(Session* s) noexcept nogil:
    cdef Pop pop
    cdef Found f
    cdef uint32_t at
    cdef int64_t deadline
    if parse_pop(s, 2, &pop) != OK or not parse_timeout(s, &s.argv[1], False, &deadline):
        return FAILED
    if find_list(s, pop.keys, pop.key_count, &at, &f) != OK:
        return FAILED
    if f.entry == NULL:
        return block_on_keys(s, pop.keys, pop.key_count, LIST, 0, deadline)
    pop_some(s, &s.argv[at], &f, &pop)
    return OK


cdef Status pop_or_wait(Session* s, bint at_head) noexcept nogil:
    cdef ElementWalk w
    cdef Found f
    cdef uint32_t at
    cdef int64_t deadline
    if not parse_timeout(s, &s.argv[s.argc - 1], False, &deadline):
        return FAILED
    if find_list(s, 1, s.argc - 2, &at, &f) != OK:
        return FAILED
    if f.entry == NULL:
        return block_on_keys(s, 1, s.argc - 2, LIST, 0, deadline)
    reply_array(&s.out, 2)
    reply_bulk(&s.out, s.argv[at].ptr, s.argv[at].len)
    list_seek(s.engine, f.entry, 0 if at_head else list_length(s.engine, f.entry), &w)
    reply_elements(&s.out, &w, 1, not at_head)
    list_popped(s, &s.argv[at], &f, 1, at_head)
    return OK


define("BLPOP", fn(cmd_blpop), arity=-3, flags=WRITE | BLOCKING, keys=KeySpec(1, -2, 1, "RW access delete"),
       group="list", since="2.0.0", cost="O(N) for N keys", args="key [key ...] timeout:double",
       history=(("6.0.0", "The timeout may be a fraction."),),
       summary="Removes the first element of the first list that exists, as soon as one does, and returns it.")
cdef Status cmd_blpop(Session* s) noexcept nogil:
    return pop_or_wait(s, True)


define("BRPOP", fn(cmd_brpop), arity=-3, flags=WRITE | BLOCKING, keys=KeySpec(1, -2, 1, "RW access delete"),
       group="list", since="2.0.0", cost="O(N) for N keys", args="key [key ...] timeout:double",
       history=(("6.0.0", "The timeout may be a fraction."),),
       summary="Removes the last element of the first list that exists, as soon as one does, and returns it.")
cdef Status cmd_brpop(Session* s) noexcept nogil:
    return pop_or_wait(s, False)
