"""Lists: both ends, ranges, indexes and what is found by value. (What moves or waits: t_list_move.pyx.)

Forms. A short list is FORM_PACKED: a u32 that counts its elements, then the elements as in a block of
listblocks.pxd. It becomes FORM_LARGE when the values added would take it past list-max-listpack-size,
and small again when removals leave a single block filled to a half: Redis's thresholds, counted with
its listpack's head of 7 bytes. A list is never empty: the key goes with its last element.

Costs. Both ends O(1) (O(N) in a small list, within its few KiB); an index costs a walk over the
directory from the nearer end, and half of a block at most.
"""

from libc.stdint cimport INT64_MAX, UINT32_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove
from libc.stdlib cimport free, malloc
from minikv_core.arena cimport arena_at, arena_free, undo_note
from minikv_core.engine cimport (
    DENYOOM, EVENT_GENERIC, EVENT_LIST, EVENT_NEW, FAST, READONLY, WRITE, Database, Engine, Session,
)
from minikv_core.entry cimport Entry, EntryView, entry_expiry, entry_form, entry_kind, entry_root, entry_value, entry_view
from minikv_core.keyspace cimport (
    LOOK_READ, LOOK_WRITE, Found, KindOps, look_up, notify, place_value, register_kind, remove_key, signal_modified,
    value_splice,
)
from minikv_core.listblocks cimport (
    HEAD, BlockRow, ElementWalk, ListLimit, ListPlace, ListRoot, block_head, block_row, block_used, blocks_append,
    blocks_bytes, blocks_clone, blocks_free, blocks_free_some, blocks_insert, blocks_new, blocks_pop, blocks_push,
    blocks_remove, blocks_replace, element_before, element_bytes, element_next, element_write, walk_back, walk_block,
    walk_next, walk_place, walk_seek,
)
from minikv_core.memory cimport likely, load_u32, store_u16, store_u32, unlikely
from minikv_core.numbers cimport parse_int
from minikv_core.output cimport Output
from minikv_core.packed cimport Item, item_of_bytes, item_text, packed_equals, packed_read, reply_packed
from minikv_core.registry cimport fn
from minikv_core.reply cimport (
    CRLF, copy_short, reply_array, reply_int, reply_null, reply_null_array, reply_ok, write_header,
)
from minikv_core.session cimport fail, fail_arity, fail_status, fail_syntax, fail_wrong_type, is_word
from minikv_core.types cimport BAD_INT, FAILED, FORM_LARGE, FORM_PACKED, LIST, NO_MEMORY, OK, Ref, Slice, Status

from minikv_core.registry import KeySpec, define

cdef enum:
    LISTPACK_HEAD = 7       # bytes that a listpack has beside its elements
    SAFE_BYTES = 8192       # most bytes of a block when the limit is a number of elements
    ROOT_BYTES = 4          # payload of the large form: the root's reference

cdef const char* OUT_OF_RANGE = (
    b"ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
)

# ---------------------------------------------------------------- forms

cdef void list_limit(const Engine* e, ListLimit* limit) noexcept nogil:
    """What list-max-listpack-size says: elements, or with -1 to -5 4 to 64 KiB."""
    cdef int64_t size = e.config.list_max_listpack_size
    if size >= 0:
        limit.bytes = SAFE_BYTES
        limit.count = <uint32_t>min(max(size, 1), <int64_t>UINT32_MAX)
    else:
        limit.bytes = 2048 << (-size if size > -5 else 5)
        limit.count = UINT32_MAX


cdef inline bint fits(const ListLimit* limit, uint64_t bytes, uint64_t count) noexcept nogil:
    """Whether elements may be a small list."""
    return bytes + LISTPACK_HEAD <= limit.bytes and count <= limit.count


cdef inline void list_begin(Engine* e, Entry* entry, ElementWalk* w) noexcept nogil:
    """Go to the start of a list."""
    cdef EntryView v
    entry_view(entry, &v)
    w.arena = &e.arena
    if v.form == FORM_LARGE:
        w.root = <ListRoot*>arena_at(&e.arena, load_u32(v.value))
        walk_block(w, 0, False)
    else:
        w.root = NULL
        w.block = 0
        w.start = w.p = v.value + COUNT_BYTES
        w.end = v.value + v.vlen


cdef inline void place_of(const ElementWalk* w, const char* p, ListPlace* place) noexcept nogil:
    place.block = w.block
    place.at = <uint32_t>(p - w.start)


cdef inline void add_count(Engine* e, Found* f, int64_t n) noexcept nogil:
    """Correct a small list's number of elements."""
    cdef char* p = entry_value(f.entry)
    undo_note(&e.arena, p, COUNT_BYTES)
    store_u32(p, load_u32(p) + <uint32_t>n)


cdef Status put_root(Engine* e, Database* db, const Slice* key, Found* f, Ref root) noexcept nogil:
    """Make a large list the key's value; it is freed if there is no memory."""
    cdef char* p = place_value(e, db, key, f, LIST, FORM_LARGE, ROOT_BYTES, -1 if f.entry == NULL else entry_expiry(f.entry))
    if p == NULL:
        blocks_free(&e.arena, root)
        return NO_MEMORY
    store_u32(p, root)
    return OK


cdef Status enlarge(Engine* e, Database* db, const Slice* key, Found* f, const ListLimit* limit) noexcept nogil:
    """Make a small list a large one."""
    cdef Ref root = blocks_new(&e.arena)
    cdef EntryView v
    if root == 0:
        return NO_MEMORY
    entry_view(f.entry, &v)
    if blocks_append(&e.arena, <ListRoot*>arena_at(&e.arena, root), limit, v.value + COUNT_BYTES, v.value + v.vlen) != OK:
        blocks_free(&e.arena, root)
        return NO_MEMORY
    return put_root(e, db, key, f, root)


cdef inline Status enlarge_for(Engine* e, Database* db, const Slice* key, Found* f, const ListLimit* limit,
                               const Slice* value) noexcept nogil:
    """Make a small list large if one more value would take it past the limit."""
    cdef EntryView v
    if is_large(f.entry):
        return OK
    entry_view(f.entry, &v)
    if fits(limit, <uint64_t>v.vlen - COUNT_BYTES + value.len, <uint64_t>load_u32(v.value) + 1):
        return OK
    return enlarge(e, db, key, f, limit)


cdef void settle(Engine* e, Database* db, const Slice* key, Found* f, const ListLimit* limit) noexcept nogil:
    """Make a large list small if a single block is left that is filled to a half at most."""
    cdef ListRoot* root
    cdef BlockRow row
    cdef uint32_t used
    cdef char* p
    if not is_large(f.entry):
        return
    root = list_root(e, f.entry)
    if likely(root.blocks != 1):
        return
    row = block_row(&e.arena, root, 0)[0]
    used = block_used(&e.arena, &row)
    if limit.count != UINT32_MAX:
        if row.count > limit.count // 2 or used + HEAD > limit.bytes:
            return
    elif used + LISTPACK_HEAD > limit.bytes // 2:
        return
    # the block is taken out of the list, which goes when the small one comes
    undo_note(&e.arena, root, sizeof(ListRoot))
    root.blocks = 0
    p = place_value(e, db, key, f, LIST, FORM_PACKED, COUNT_BYTES + used, entry_expiry(f.entry))
    if p == NULL:
        root.blocks = 1
        return
    store_u32(p, row.count)
    memcpy(p + COUNT_BYTES, <char*>block_head(&e.arena, &row) + block_head(&e.arena, &row).start, used)
    arena_free(&e.arena, row.block)

# ---------------------------------------------------------------- the value API

cdef void list_walk_begin(Engine* e, Entry* entry, ListWalk* w) noexcept nogil:
    list_begin(e, entry, &w.walk)


cdef bint list_walk_next(ListWalk* w, Slice* value) noexcept nogil:
    cdef char* p = walk_next(&w.walk)
    cdef Item item
    if p == NULL:
        return False
    packed_read(p, &item)
    item_text(&item, w.digits, value)
    return True


cdef Status push_large(Engine* e, ListRoot* root, const ListLimit* limit, const Slice* values, uint32_t n,
                       bint at_head) noexcept nogil:
    cdef Item item
    cdef uint32_t i
    for i in range(n):
        item_of_bytes(&item, values[i].ptr, values[i].len)
        if unlikely(blocks_push(&e.arena, root, limit, &item, at_head) != OK):
            blocks_pop(&e.arena, root, i, at_head)
            return NO_MEMORY
    return OK


cdef Status push_small(Engine* e, Database* db, const Slice* key, Found* f, const Slice* values, uint32_t n,
                       bint at_head) noexcept nogil:
    cdef Item item
    cdef EntryView v
    cdef uint32_t i, total = 0
    cdef char* p
    for i in range(n):
        item_of_bytes(&item, values[i].ptr, values[i].len)
        total += element_bytes(&item)
    if f.entry == NULL:
        p = place_value(e, db, key, f, LIST, FORM_PACKED, COUNT_BYTES + total, -1)
        if p == NULL:
            return NO_MEMORY
        store_u32(p, n)
        p += COUNT_BYTES
    else:
        entry_view(f.entry, &v)
        p = value_splice(e, f, <uint32_t>COUNT_BYTES if at_head else v.vlen, 0, total)
        if p == NULL:
            return NO_MEMORY
        add_count(e, f, n)
    if at_head:
        p += total
    for i in range(n):
        if n > 1:
            item_of_bytes(&item, values[i].ptr, values[i].len)
        if at_head:
            p -= element_bytes(&item)
            element_write(p, &item)
        else:
            p = element_write(p, &item)
    return OK


cdef Status list_push_all(Engine* e, Database* db, const Slice* key, Found* f, const Slice* values, uint32_t n,
                          bint at_head) noexcept nogil:
    cdef ListLimit limit
    cdef EntryView v
    cdef uint64_t bytes = 0, count = n
    cdef uint32_t i
    cdef Ref root
    list_limit(e, &limit)
    if f.entry != NULL:
        if likely(is_large(f.entry)):
            return push_large(e, list_root(e, f.entry), &limit, values, n, at_head)
        entry_view(f.entry, &v)
        bytes = v.vlen - COUNT_BYTES
        count += load_u32(v.value)
    for i in range(n):
        bytes += values[i].len
    if fits(&limit, bytes, count):
        return push_small(e, db, key, f, values, n, at_head)
    if f.entry != NULL:
        if enlarge(e, db, key, f, &limit) != OK:
            return NO_MEMORY
        return push_large(e, list_root(e, f.entry), &limit, values, n, at_head)
    root = blocks_new(&e.arena)
    if root == 0:
        return NO_MEMORY
    if push_large(e, <ListRoot*>arena_at(&e.arena, root), &limit, values, n, at_head) != OK:
        blocks_free(&e.arena, root)
        return NO_MEMORY
    return put_root(e, db, key, f, root)


cdef void list_seek(Engine* e, Entry* entry, uint64_t index, ElementWalk* w) noexcept nogil:
    list_begin(e, entry, w)
    walk_seek(w, index, list_length(e, entry))


cdef void list_pop(Engine* e, Database* db, const Slice* key, Found* f, uint64_t n, bint at_head) noexcept nogil:
    cdef ListLimit limit
    cdef ElementWalk w
    cdef uint64_t length = list_length(e, f.entry)
    if n == 0:
        return
    if n >= length:
        remove_key(e, db, f, e.config.lazyfree_lazy_server_del != 0)
        return
    if is_large(f.entry):
        list_limit(e, &limit)
        blocks_pop(&e.arena, list_root(e, f.entry), n, at_head)
        settle(e, db, key, f, &limit)
        return
    list_seek(e, f.entry, n if at_head else length - n, &w)
    if at_head:
        value_splice(e, f, COUNT_BYTES, <uint32_t>(w.p - w.start), 0)
    else:
        value_splice(e, f, <uint32_t>(COUNT_BYTES + (w.p - w.start)), <uint32_t>(w.end - w.p), 0)
    add_count(e, f, -<int64_t>n)


cdef bint list_rotate(Engine* e, Found* f, bint from_head) noexcept nogil:
    """False = no memory."""
    cdef ElementWalk w
    cdef char* p
    cdef char* copy
    cdef size_t n
    list_begin(e, f.entry, &w)
    p = element_next(w.start) if from_head else element_before(w.end)
    n = p - w.start if from_head else w.end - p
    copy = <char*>malloc(n)
    if copy == NULL:
        return False
    undo_note(&e.arena, w.start, w.end - w.start)
    if from_head:
        memcpy(copy, w.start, n)
        memmove(w.start, p, w.end - p)
        memcpy(w.end - n, copy, n)
    else:
        memcpy(copy, p, n)
        memmove(w.start + n, w.start, p - w.start)
        memcpy(w.start, copy, n)
    free(copy)
    return True


cdef void list_remove(Engine* e, Found* f, const ListLimit* limit, ListPlace* place) noexcept nogil:
    """Remove the element at a place, which then names the next; the list may be empty after it."""
    cdef char* p
    if is_large(f.entry):
        blocks_remove(&e.arena, list_root(e, f.entry), limit, place)
        return
    p = entry_value(f.entry) + COUNT_BYTES + place.at
    value_splice(e, f, COUNT_BYTES + place.at, <uint32_t>(element_next(p) - p), 0)
    add_count(e, f, -1)


cdef Status list_write(Engine* e, Found* f, const ListLimit* limit, ListPlace* place, const Item* item,
                       bint replaces) noexcept nogil:
    """Insert an element at a place, or put it in place of the one there."""
    cdef char* p
    cdef uint32_t removed = 0
    if is_large(f.entry):
        if replaces:
            return blocks_replace(&e.arena, list_root(e, f.entry), limit, place, item)
        return blocks_insert(&e.arena, list_root(e, f.entry), limit, place, item)
    if replaces:
        p = entry_value(f.entry) + COUNT_BYTES + place.at
        removed = <uint32_t>(element_next(p) - p)
    p = value_splice(e, f, COUNT_BYTES + place.at, removed, element_bytes(item))
    if p == NULL:
        return NO_MEMORY
    element_write(p, item)
    if not replaces:
        add_count(e, f, 1)
    return OK

# ---------------------------------------------------------------- what other modules need to know

cdef const char* list_encoding(const Entry* entry) noexcept nogil:
    return b"quicklist" if is_large(entry) else b"listpack"


cdef Ref list_clone(Engine* e, Ref root) noexcept nogil:
    return blocks_clone(&e.arena, root)


cdef uint64_t list_bytes(Engine* e, Ref root) noexcept nogil:
    return blocks_bytes(&e.arena, root)


cdef uint64_t list_free_some(Engine* e, Ref root, uint64_t* position, uint64_t most) noexcept nogil:
    return blocks_free_some(&e.arena, root, position, most)


cdef KindOps list_ops
list_ops.encoding = list_encoding
list_ops.count = list_length
list_ops.clone = list_clone
list_ops.bytes = list_bytes
list_ops.free_some = list_free_some
list_ops.expire_fields = NULL
register_kind(LIST, &list_ops)

# ---------------------------------------------------------------- what the commands share

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
    if enlarge_for(e, s.db, key, &f, &limit, &s.argv[3]) != OK:
        return fail_status(s, NO_MEMORY)
    if not find_index(s, f.entry, index, &w):
        return fail(s, b"ERR index out of range")
    place_of(&w, w.p, &place)
    item_of_bytes(&item, s.argv[3].ptr, s.argv[3].len)
    if list_write(e, &f, &limit, &place, &item, True) != OK:
        return fail_status(s, NO_MEMORY)
    settle(e, s.db, key, &f, &limit)
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
    if enlarge_for(e, s.db, key, &f, &limit, &s.argv[4]) != OK:
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
            settle(e, s.db, key, &f, &limit)
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
