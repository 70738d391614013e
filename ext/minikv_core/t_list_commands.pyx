"""The list commands, but for those that move elements or wait for some (t_list_move.pyx).

Order of events. Redis's: "new" when a key is made, then what the command did ("lpush", "lrem", ...),
then "del" if the key went with its last element.
"""

from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint32_t, uint64_t
from minikv_core.engine cimport (
    DENYOOM, EVENT_GENERIC, EVENT_LIST, EVENT_NEW, FAST, READONLY, WRITE, Engine, Session,
)
from minikv_core.entry cimport Entry
from minikv_core.keyspace cimport LOOK_READ, LOOK_WRITE, Found, look_up, notify, remove_key, signal_modified
from minikv_core.listblocks cimport (
    ElementWalk, ListLimit, ListPlace, element_before, walk_back, walk_block, walk_next, walk_place,
)
from minikv_core.memory cimport store_u16, unlikely
from minikv_core.numbers cimport parse_int
from minikv_core.output cimport Output
from minikv_core.packed cimport Item, item_of_bytes, packed_equals, reply_packed
from minikv_core.registry cimport fn
from minikv_core.reply cimport (
    CRLF, copy_short, reply_array, reply_int, reply_null, reply_null_array, reply_ok, write_header,
)
from minikv_core.session cimport fail, fail_arity, fail_status, fail_syntax, fail_wrong_type, is_word
from minikv_core.t_list cimport (
    is_list, list_begin, list_enlarge_for, list_length, list_limit, list_pop, list_push_all, list_remove, list_seek,
    list_settle, list_write,
)
from minikv_core.types cimport BAD_INT, FAILED, NO_MEMORY, OK, Slice, Status

from minikv_core.registry import KeySpec, define

cdef const char* OUT_OF_RANGE = (
    b"ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
)

# ---------------------------------------------------------------- what commands share

cdef char* reply_short(Output* o, ElementWalk* w, uint64_t* n) noexcept nogil:
    """Write elements of a block as long as they are strings of 1 to 63 bytes and fit into the buffer."""
    cdef const char* p = w.p
    cdef char* q = o.pos
    cdef uint32_t length
    cdef uint8_t head
    while n[0] and p < w.end and <size_t>(o.end - q) >= 128:
        head = <uint8_t>p[0]
        if head & 0xC0 != 0x80:
            break
        length = head & 63
        q = write_header(q, c'$', length)
        copy_short(q, p + 1, length)
        store_u16(q + length, CRLF)
        q += length + 2
        p += length + 2
        n[0] -= 1
    o.pos = q
    w.p = <char*>p


cdef void reply_elements(Output* o, ElementWalk* w, uint64_t n, bint back) noexcept nogil:
    if back:
        while n:
            reply_packed(o, walk_back(w))
            n -= 1
        return
    while n:
        reply_short(o, w, &n)
        if n:
            reply_packed(o, walk_next(w))
            n -= 1


cdef inline void place_of(const ElementWalk* w, const char* p, ListPlace* place) noexcept nogil:
    place.block = w.block
    place.at = <uint32_t>(p - w.start)


cdef bint parse_range(Session* s, int64_t* start, int64_t* stop) noexcept nogil:
    """Read the indexes at argv[2] and argv[3]; False after an error reply."""
    if parse_int(s.argv[2].ptr, s.argv[2].len, start) and parse_int(s.argv[3].ptr, s.argv[3].len, stop):
        return True
    fail_status(s, BAD_INT)
    return False


cdef uint64_t clip_range(uint64_t length, int64_t start, int64_t stop, uint64_t* first) noexcept nogil:
    """How many elements lie between two indexes, which may count from the end, and the first of them."""
    cdef int64_t n = <int64_t>length
    if start < 0:
        start = max(start + n, 0)
    if stop < 0:
        stop += n
    if start > stop or start >= n:
        return 0
    first[0] = <uint64_t>start
    return <uint64_t>(min(stop, n - 1) - start + 1)


cdef void list_changed(Session* s, const Slice* key, const Found* f, uint64_t n) noexcept nogil:
    signal_modified(s.engine, s.db, key, f.hash)
    s.engine.root.dirty += n - 1        # which is noted; it counts elements


cdef void tell_removed(Session* s, const Slice* key, Found* f, uint64_t n, const char* event) noexcept nogil:
    """Publish the event of a removal, which may have taken the key too."""
    notify(s.engine, EVENT_LIST, event, key, s.db)
    if f.entry == NULL:
        notify(s.engine, EVENT_GENERIC, b"del", key, s.db)
    list_changed(s, key, f, n)


cdef void list_popped(Session* s, const Slice* key, Found* f, uint64_t n, bint at_head) noexcept nogil:
    list_pop(s.engine, s.db, key, f, n, at_head)
    tell_removed(s, key, f, n, b"lpop" if at_head else b"rpop")


cdef Status parse_end(Session* s, const Slice* arg, bint* head) noexcept nogil:
    head[0] = is_word(arg, b"left")
    if not head[0] and not is_word(arg, b"right"):
        return fail_syntax(s)
    return OK

# ---------------------------------------------------------------- the ends

cdef inline Status push(Session* s, bint at_head, bint if_exists) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Slice* key = &s.argv[1]
    cdef uint32_t n = s.argc - 2
    cdef Found f
    cdef bint fresh = not look_up(s, key, s.hash, LOOK_WRITE, &f)
    if not fresh and unlikely(not is_list(f.entry)):
        return fail_wrong_type(s)
    if fresh and if_exists:
        reply_int(&s.out, 0)
        return OK
    if unlikely(list_push_all(e, s.db, key, &f, &s.argv[2], n, at_head) != OK):
        return fail_status(s, NO_MEMORY)
    reply_int(&s.out, <int64_t>list_length(e, f.entry))
    if fresh:
        notify(e, EVENT_NEW, b"new", key, s.db)
    list_changed(s, key, &f, n)
    notify(e, EVENT_LIST, b"lpush" if at_head else b"rpush", key, s.db)
    return OK


define("LPUSH", fn(cmd_lpush), arity=-3, flags=WRITE | DENYOOM | FAST, keys=KeySpec(1, 1, 1, "RW insert"),
       group="list", since="1.0.0", cost="O(1) per element", args="key element [element ...]",
       history=(("2.4.0", "Several elements."),),
       summary="Puts elements in front of a list, which is made if there is none.")
cdef Status cmd_lpush(Session* s) noexcept nogil:
    return push(s, True, False)


define("RPUSH", fn(cmd_rpush), arity=-3, flags=WRITE | DENYOOM | FAST, keys=KeySpec(1, 1, 1, "RW insert"),
       group="list", since="1.0.0", cost="O(1) per element", args="key element [element ...]",
       history=(("2.4.0", "Several elements."),),
       summary="Appends elements to a list, which is made if there is none.")
cdef Status cmd_rpush(Session* s) noexcept nogil:
    return push(s, False, False)


define("LPUSHX", fn(cmd_lpushx), arity=-3, flags=WRITE | DENYOOM | FAST, keys=KeySpec(1, 1, 1, "RW insert"),
       group="list", since="2.2.0", cost="O(1) per element", args="key element [element ...]",
       history=(("4.0.0", "Several elements."),), summary="Puts elements in front of a list that exists.")
cdef Status cmd_lpushx(Session* s) noexcept nogil:
    return push(s, True, True)


define("RPUSHX", fn(cmd_rpushx), arity=-3, flags=WRITE | DENYOOM | FAST, keys=KeySpec(1, 1, 1, "RW insert"),
       group="list", since="2.2.0", cost="O(1) per element", args="key element [element ...]",
       history=(("4.0.0", "Several elements."),), summary="Appends elements to a list that exists.")
cdef Status cmd_rpushx(Session* s) noexcept nogil:
    return push(s, False, True)


cdef Status pop_many(Session* s, bint at_head) noexcept nogil:
    """LPOP and RPOP with a count."""
    cdef Slice* key = &s.argv[1]
    cdef ElementWalk w
    cdef Found f
    cdef int64_t count
    cdef uint64_t length, n
    if s.argc > 3:
        return fail_arity(s)
    if not parse_int(s.argv[2].ptr, s.argv[2].len, &count) or count < 0:
        return fail(s, b"ERR value is out of range, must be positive")
    if not look_up(s, key, s.hash, LOOK_WRITE, &f):
        reply_null_array(&s.out)
        return OK
    if not is_list(f.entry):
        return fail_wrong_type(s)
    length = list_length(s.engine, f.entry)
    n = min(<uint64_t>count, length)
    reply_array(&s.out, <int64_t>n)
    if n == 0:
        return OK
    list_seek(s.engine, f.entry, 0 if at_head else length, &w)
    reply_elements(&s.out, &w, n, not at_head)
    list_popped(s, key, &f, n, at_head)
    return OK


cdef inline Status pop(Session* s, bint at_head) noexcept nogil:
    cdef Slice* key = &s.argv[1]
    cdef ElementWalk w
    cdef Found f
    if s.argc > 2:
        return pop_many(s, at_head)
    if not look_up(s, key, s.hash, LOOK_WRITE, &f):
        reply_null(&s.out)
        return OK
    if unlikely(not is_list(f.entry)):
        return fail_wrong_type(s)
    list_begin(s.engine, f.entry, &w)
    if not at_head:
        if w.root != NULL:
            walk_block(&w, w.root.blocks - 1, True)
        w.p = element_before(w.end)
    reply_packed(&s.out, w.p)
    list_popped(s, key, &f, 1, at_head)
    return OK


define("LPOP", fn(cmd_lpop), arity=-2, flags=WRITE | FAST, keys=KeySpec(1, 1, 1, "RW access delete"), group="list",
       since="1.0.0", cost="O(N) in the number of elements returned", args="key [count]",
       history=(("6.2.0", "Argument `count`."),),
       summary="Removes a list's first elements and returns them; the key goes with the last one.")
cdef Status cmd_lpop(Session* s) noexcept nogil:
    return pop(s, True)


define("RPOP", fn(cmd_rpop), arity=-2, flags=WRITE | FAST, keys=KeySpec(1, 1, 1, "RW access delete"), group="list",
       since="1.0.0", cost="O(N) in the number of elements returned", args="key [count]",
       history=(("6.2.0", "Argument `count`."),),
       summary="Removes a list's last elements and returns them; the key goes with the last one.")
cdef Status cmd_rpop(Session* s) noexcept nogil:
    return pop(s, False)

# ---------------------------------------------------------------- by index

define("LLEN", fn(cmd_llen), arity=2, flags=READONLY | FAST, keys=KeySpec(1, 1, 1, "RO"), group="list", since="1.0.0",
       cost="O(1)", args="key", summary="Counts the elements of a list.")
cdef Status cmd_llen(Session* s) noexcept nogil:
    cdef Found f
    if not look_up(s, &s.argv[1], s.hash, LOOK_READ, &f):
        reply_int(&s.out, 0)
        return OK
    if not is_list(f.entry):
        return fail_wrong_type(s)
    reply_int(&s.out, <int64_t>list_length(s.engine, f.entry))
    return OK


define("LRANGE", fn(cmd_lrange), arity=4, flags=READONLY, keys=KeySpec(1, 1, 1, "RO access"), group="list",
       since="1.0.0", cost="O(N) in the number of elements returned; the way there from the nearer end is fast",
       args="key start:integer stop:integer", summary="Returns the elements between two indexes.")
cdef Status cmd_lrange(Session* s) noexcept nogil:
    cdef ElementWalk w
    cdef Found f
    cdef int64_t start, stop
    cdef uint64_t n, first = 0
    if not parse_range(s, &start, &stop):
        return FAILED
    if not look_up(s, &s.argv[1], s.hash, LOOK_READ, &f):
        reply_array(&s.out, 0)
        return OK
    if not is_list(f.entry):
        return fail_wrong_type(s)
    n = clip_range(list_length(s.engine, f.entry), start, stop, &first)
    reply_array(&s.out, <int64_t>n)
    if n:
        list_seek(s.engine, f.entry, first, &w)
        reply_elements(&s.out, &w, n, False)
    return OK


cdef bint find_index(Session* s, Entry* entry, int64_t index, ElementWalk* w) noexcept nogil:
    """Go to the front of the element at an index that may count from the end; False = there is none."""
    cdef int64_t length = <int64_t>list_length(s.engine, entry)
    if index < 0:
        index += length
    if not 0 <= index < length:
        return False
    list_seek(s.engine, entry, <uint64_t>index, w)
    return True


define("LINDEX", fn(cmd_lindex), arity=3, flags=READONLY, keys=KeySpec(1, 1, 1, "RO access"), group="list",
       since="1.0.0", cost="O(N) in the distance from the nearer end, in steps of a block", args="key index",
       summary="Returns the element at an index.")
cdef Status cmd_lindex(Session* s) noexcept nogil:
    cdef ElementWalk w
    cdef Found f
    cdef int64_t index
    if not look_up(s, &s.argv[1], s.hash, LOOK_READ, &f):
        reply_null(&s.out)
        return OK
    if not is_list(f.entry):
        return fail_wrong_type(s)
    if not parse_int(s.argv[2].ptr, s.argv[2].len, &index):
        return fail_status(s, BAD_INT)
    if find_index(s, f.entry, index, &w):
        reply_packed(&s.out, w.p)
    else:
        reply_null(&s.out)
    return OK


define("LSET", fn(cmd_lset), arity=4, flags=WRITE | DENYOOM, keys=KeySpec(1, 1, 1, "RW update"), group="list",
       since="1.0.0", cost="O(N) in the distance from the nearer end, in steps of a block", args="key index element",
       summary="Puts another element in place of the one at an index.")
cdef Status cmd_lset(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Slice* key = &s.argv[1]
    cdef ListLimit limit
    cdef ElementWalk w
    cdef ListPlace place
    cdef Item item
    cdef Found f
    cdef int64_t index
    if not look_up(s, key, s.hash, LOOK_WRITE, &f):
        return fail(s, b"ERR no such key")
    if not is_list(f.entry):
        return fail_wrong_type(s)
    if not parse_int(s.argv[2].ptr, s.argv[2].len, &index):
        return fail_status(s, BAD_INT)
    list_limit(e, &limit)
    if list_enlarge_for(e, s.db, key, &f, &limit, &s.argv[3]) != OK:
        return fail_status(s, NO_MEMORY)
    if not find_index(s, f.entry, index, &w):
        return fail(s, b"ERR index out of range")
    place_of(&w, w.p, &place)
    item_of_bytes(&item, s.argv[3].ptr, s.argv[3].len)
    if list_write(e, &f, &limit, &place, &item, True) != OK:
        return fail_status(s, NO_MEMORY)
    list_settle(e, s.db, key, &f, &limit)
    reply_ok(&s.out)
    list_changed(s, key, &f, 1)
    notify(e, EVENT_LIST, b"lset", key, s.db)
    return OK


define("LTRIM", fn(cmd_ltrim), arity=4, flags=WRITE, keys=KeySpec(1, 1, 1, "RW delete"), group="list", since="1.0.0",
       cost="O(N) in the number of elements removed, in steps of a block", args="key start:integer stop:integer",
       summary="Removes all elements but those between two indexes.")
cdef Status cmd_ltrim(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Slice* key = &s.argv[1]
    cdef Found f
    cdef int64_t start, stop
    cdef uint64_t length, kept, first = 0
    if not parse_range(s, &start, &stop):
        return FAILED
    if not look_up(s, key, s.hash, LOOK_WRITE, &f):
        reply_ok(&s.out)
        return OK
    if not is_list(f.entry):
        return fail_wrong_type(s)
    length = list_length(e, f.entry)
    kept = clip_range(length, start, stop, &first)
    if kept == 0:
        list_pop(e, s.db, key, &f, length, True)
    else:
        list_pop(e, s.db, key, &f, length - first - kept, False)
        list_pop(e, s.db, key, &f, first, True)
    tell_removed(s, key, &f, length - kept, b"ltrim")
    reply_ok(&s.out)
    return OK

# ---------------------------------------------------------------- by value

cdef inline char* walk_to(ElementWalk* w, const Item* item, bint back) noexcept nogil:
    """The next element that equals an item, in either direction; NULL = there is none."""
    cdef char* p = walk_back(w) if back else walk_next(w)
    while p != NULL and not packed_equals(p, item):
        p = walk_back(w) if back else walk_next(w)
    return p


define("LINSERT", fn(cmd_linsert), arity=5, flags=WRITE | DENYOOM, keys=KeySpec(1, 1, 1, "RW insert"), group="list",
       since="2.2.0", cost="O(N) in the number of elements in front of the pivot",
       args="key <BEFORE|AFTER> pivot element", summary="Inserts an element in front of or behind another one.")
cdef Status cmd_linsert(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Slice* key = &s.argv[1]
    cdef ListLimit limit
    cdef ElementWalk w
    cdef ListPlace place
    cdef Item item
    cdef Found f
    cdef bint after = is_word(&s.argv[2], b"after")
    cdef char* p
    if not after and not is_word(&s.argv[2], b"before"):
        return fail_syntax(s)
    if not look_up(s, key, s.hash, LOOK_WRITE, &f):
        reply_int(&s.out, 0)
        return OK
    if not is_list(f.entry):
        return fail_wrong_type(s)
    list_limit(e, &limit)
    if list_enlarge_for(e, s.db, key, &f, &limit, &s.argv[4]) != OK:
        return fail_status(s, NO_MEMORY)
    list_begin(e, f.entry, &w)
    item_of_bytes(&item, s.argv[3].ptr, s.argv[3].len)
    p = walk_to(&w, &item, False)
    if p == NULL:
        reply_int(&s.out, -1)
        return OK
    place_of(&w, w.p if after else p, &place)
    item_of_bytes(&item, s.argv[4].ptr, s.argv[4].len)
    if list_write(e, &f, &limit, &place, &item, False) != OK:
        return fail_status(s, NO_MEMORY)
    reply_int(&s.out, <int64_t>list_length(e, f.entry))
    list_changed(s, key, &f, 1)
    notify(e, EVENT_LIST, b"linsert", key, s.db)
    return OK


define("LREM", fn(cmd_lrem), arity=4, flags=WRITE, keys=KeySpec(1, 1, 1, "RW delete"), group="list", since="1.0.0",
       cost="O(N) in the list's length", args="key count element",
       summary="Removes elements that equal a value: all of them, or so many from the start or the end.")
cdef Status cmd_lrem(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Slice* key = &s.argv[1]
    cdef ListLimit limit
    cdef ElementWalk w
    cdef ListPlace place
    cdef Item item
    cdef Found f
    cdef int64_t count
    cdef uint64_t most, removed = 0
    cdef bint back
    cdef char* p
    if not parse_int(s.argv[2].ptr, s.argv[2].len, &count):
        return fail_status(s, BAD_INT)
    if count < -INT64_MAX:
        return fail(s, OUT_OF_RANGE)
    if not look_up(s, key, s.hash, LOOK_WRITE, &f):
        reply_int(&s.out, 0)
        return OK
    if not is_list(f.entry):
        return fail_wrong_type(s)
    back = count < 0
    most = <uint64_t>(-count if back else count if count else INT64_MAX)
    list_limit(e, &limit)
    item_of_bytes(&item, s.argv[3].ptr, s.argv[3].len)
    list_seek(e, f.entry, list_length(e, f.entry) if back else 0, &w)
    p = walk_to(&w, &item, back)
    while p != NULL:
        place_of(&w, p, &place)
        list_remove(e, &f, &limit, &place)
        removed += 1
        if removed == most or list_length(e, f.entry) == 0:
            break
        list_begin(e, f.entry, &w)
        walk_place(&w, &place)
        p = walk_to(&w, &item, back)
    if removed:
        if list_length(e, f.entry) == 0:
            remove_key(e, s.db, &f, e.config.lazyfree_lazy_server_del != 0)
        else:
            list_settle(e, s.db, key, &f, &limit)
        tell_removed(s, key, &f, removed, b"lrem")
    reply_int(&s.out, <int64_t>removed)
    return OK


cdef struct Search:         # LPOS: what it looks for, and where
    Item     item
    bint     back           # from the end
    uint64_t rank           # of the first match to report, from 1
    uint64_t most           # matches to report
    uint64_t looks          # elements to look at


cdef uint64_t find_matches(Session* s, Entry* entry, const Search* search, bint replies) noexcept nogil:
    """Count the matches that are to be reported, and write their indexes if asked."""
    cdef ElementWalk w
    cdef uint64_t length = list_length(s.engine, entry), i, matches = 0, found = 0
    cdef char* p
    list_seek(s.engine, entry, length if search.back else 0, &w)
    for i in range(min(length, search.looks)):
        p = walk_back(&w) if search.back else walk_next(&w)
        if not packed_equals(p, &search.item):
            continue
        matches += 1
        if matches < search.rank:
            continue
        found += 1
        if replies:
            reply_int(&s.out, <int64_t>(length - 1 - i if search.back else i))
        if found == search.most:
            break
    return found


define("LPOS", fn(cmd_lpos), arity=-3, flags=READONLY, keys=KeySpec(1, 1, 1, "RO access"), group="list", since="6.0.6",
       cost="O(N) in the number of elements looked at",
       args="key element [RANK rank] [COUNT num-matches] [MAXLEN len]",
       summary="Returns the indexes of elements that equal a value.")
cdef Status cmd_lpos(Session* s) noexcept nogil:
    cdef Search search
    cdef Found f
    cdef int64_t rank = 1, count = -1, looks = 0
    cdef uint32_t i
    cdef Slice* arg
    for i in range(3, s.argc, 2):
        if i + 1 == s.argc:
            return fail_syntax(s)
        arg = &s.argv[i + 1]
        if is_word(&s.argv[i], b"rank"):
            if not parse_int(arg.ptr, arg.len, &rank):
                return fail_status(s, BAD_INT)
            if rank < -INT64_MAX:
                return fail(s, OUT_OF_RANGE)
            if rank == 0:
                return fail(s, b"ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... "
                               b"or use negative to start from the end of the list")
        elif is_word(&s.argv[i], b"count"):
            if not parse_int(arg.ptr, arg.len, &count) or count < 0:
                return fail(s, b"ERR COUNT can't be negative")
        elif is_word(&s.argv[i], b"maxlen"):
            if not parse_int(arg.ptr, arg.len, &looks) or looks < 0:
                return fail(s, b"ERR MAXLEN can't be negative")
        else:
            return fail_syntax(s)
    if not look_up(s, &s.argv[1], s.hash, LOOK_READ, &f):
        if count >= 0:
            reply_array(&s.out, 0)
        else:
            reply_null(&s.out)
        return OK
    if not is_list(f.entry):
        return fail_wrong_type(s)
    search.back = rank < 0
    search.rank = <uint64_t>(-rank if rank < 0 else rank)
    search.most = 1 if count < 0 else <uint64_t>(count if count else INT64_MAX)
    search.looks = <uint64_t>(looks if looks else INT64_MAX)
    item_of_bytes(&search.item, s.argv[2].ptr, s.argv[2].len)
    if count >= 0:
        reply_array(&s.out, <int64_t>find_matches(s, f.entry, &search, False))
        find_matches(s, f.entry, &search, True)
    elif find_matches(s, f.entry, &search, True) == 0:
        reply_null(&s.out)
    return OK
