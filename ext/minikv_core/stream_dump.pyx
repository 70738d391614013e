"""Streams in the RDB format: nodes of entries, figures, groups.

A node is a string of 16 bytes, the ID of its first entry, and a listpack:

    live entries, deleted entries, number of fields, the fields, 0
    and each entry: flags, ID less the node's (ms, seq), its fields' number and fields and values in turn, or,
    if its fields are the node's, values alone; number of elements of the entry so far

Each of our blocks becomes a node. Deleted entries are left out, here and when they are read.
"""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset
from minikv_core.arena cimport Arena, arena_at, arena_free
from minikv_core.btree cimport Tree, TreeCursor, tree_next, tree_seek_rank
from minikv_core.engine cimport Config, Database, Engine
from minikv_core.entry cimport Entry, entry_root
from minikv_core.keyspace cimport Found, place_value
from minikv_core.memory cimport load_u64, store_u32
from minikv_core.packed cimport ITEM_INT, Item, item_text, packed_next
from minikv_core.rdb cimport *
from minikv_core.rdbpacked cimport (
    LISTPACK, Elements, Listpack, elements_begin, elements_item, listpack_element, listpack_finish, listpack_int,
)
from minikv_core.stream cimport (
    ENTRY_DELETED, ENTRY_SAME_FIELDS, STREAM_TEXT_MAX, Stream, StreamID, StreamWalk, id_compare, stream_append,
    stream_new, stream_next, stream_seek,
)
from minikv_core.stream_group cimport (
    READ_UNKNOWN, Consumer, Group, Pending, consumer_at, consumer_create, group_advance, group_at, group_create,
    name_find, name_of, name_ref, pending_add, pending_at,
)
from minikv_core.types cimport FAILED, FORM_LARGE, NO_MEMORY, OK, STREAM, Ref, Slice, Status

cdef enum:
    ID_BYTES = 16           # of an ID as it stands: ms and seq, high bytes first
    HEAD_ELEMENTS = 3       # of an entry in front of its body, but for the number of fields
    FEW_WORDS = 16
    DIGITS = 32             # bytes that a number needs as text

cdef extern from * nogil:
    uint64_t swap64 "__builtin_bswap64"(uint64_t n)

# ---------------------------------------------------------------- writing

cdef void write_id(Writer* w, const StreamID* id) noexcept nogil:
    cdef uint64_t[2] halves
    halves[0] = swap64(id.ms)
    halves[1] = swap64(id.seq)
    write_bytes(w, halves, ID_BYTES)


cdef void write_id_lengths(Writer* w, const StreamID* id) noexcept nogil:
    write_length(w, id.ms)
    write_length(w, id.seq)


cdef const char* copy_elements(Listpack* l, const char* p, uint32_t n) noexcept nogil:
    """Add n packed elements; returns the place behind them."""
    cdef const char* next
    while n:
        next = packed_next(p)
        listpack_element(l, p, <size_t>(next - p))
        p = next
        n -= 1
    return p


cdef void save_entries(Engine* e, Stream* s, Writer* w) noexcept nogil:
    cdef StreamID first, last
    cdef StreamWalk walk
    cdef Listpack l
    cdef uint32_t node = 0
    l.buffer.base = NULL
    l.buffer.used = l.buffer.room = 0
    l.buffer.failed = False
    l.count = 0
    first.ms = first.seq = 0
    last.ms = last.seq = <uint64_t>-1
    write_length(w, s.blocks)
    stream_seek(&e.arena, s, &first, &last, False, &walk)
    while stream_next(&walk):
        if l.count and walk.index != node:
            listpack_finish(&l, w)
        if l.count == 0:
            node = walk.index
            write_length(w, ID_BYTES)
            write_id(w, &walk.row.base)
            listpack_int(&l, walk.row.live)
            listpack_int(&l, 0)
            listpack_int(&l, walk.field_count)
            copy_elements(&l, walk.fields, walk.field_count)
            listpack_int(&l, 0)
        listpack_int(&l, ENTRY_SAME_FIELDS if walk.same else 0)
        listpack_int(&l, <int64_t>(walk.id.ms - walk.row.base.ms))
        listpack_int(&l, <int64_t>(walk.id.seq - walk.row.base.seq))
        if walk.same:
            copy_elements(&l, walk.body, walk.count)
            listpack_int(&l, HEAD_ELEMENTS + <int64_t>walk.count)
        else:
            listpack_int(&l, walk.count)
            copy_elements(&l, walk.body, 2 * walk.count)
            listpack_int(&l, HEAD_ELEMENTS + 1 + 2 * <int64_t>walk.count)
    if l.count:
        listpack_finish(&l, w)
    writer_end(&l.buffer)


cdef bint has_activity(Arena* a, Stream* s) noexcept nogil:
    """Whether a consumer was not given an entry when it was last seen: older forms know nothing of that."""
    cdef uint32_t i, j
    cdef Group* g
    cdef Consumer* c
    for i in range(s.groups.count):
        g = group_at(a, name_ref(a, &s.groups, i))
        for j in range(g.consumers.count):
            c = consumer_at(a, name_ref(a, &g.consumers, j))
            if c.active_ms != c.seen_ms:
                return True
    return False


cdef void save_name(void* object, Writer* w) noexcept nogil:
    cdef Slice name
    name_of(object, &name)
    write_string(w, name.ptr, name.len)


cdef void save_pending(Arena* a, const Tree* tree, bint whole, Writer* w) noexcept nogil:
    """whole    with time and count, not the IDs alone"""
    cdef TreeCursor cursor
    cdef Pending* p
    write_length(w, tree.count)
    tree_seek_rank(a, tree, 0, &cursor)
    while cursor.ref:
        p = pending_at(a, cursor.ref)
        write_id(w, &p.id)
        if whole:
            write_u64(w, <uint64_t>p.given_ms)
            write_length(w, p.count)
        tree_next(a, &cursor)


cdef void save_groups(Arena* a, Stream* s, bint active, Writer* w) noexcept nogil:
    cdef uint32_t i, j
    cdef Group* g
    cdef Consumer* c
    write_length(w, s.groups.count)
    for i in range(s.groups.count):
        g = group_at(a, name_ref(a, &s.groups, i))
        save_name(g, w)
        write_id_lengths(w, &g.last)
        write_length(w, <uint64_t>g.entries_read)
        save_pending(a, &g.pending, True, w)
        write_length(w, g.consumers.count)
        for j in range(g.consumers.count):
            c = consumer_at(a, name_ref(a, &g.consumers, j))
            save_name(c, w)
            write_u64(w, <uint64_t>c.seen_ms)
            if active:
                write_u64(w, <uint64_t>c.active_ms)
            save_pending(a, &c.pending, False, w)


cdef int stream_save(Engine* e, Entry* entry, Writer* w) noexcept nogil:
    cdef Stream* s = <Stream*>arena_at(&e.arena, entry_root(entry))
    cdef bint active = has_activity(&e.arena, s)
    write_byte(w, RDB_STREAM_LISTPACKS_3 if active else RDB_STREAM_LISTPACKS_2)
    save_entries(e, s, w)
    write_length(w, s.length)
    write_id_lengths(w, &s.last)
    write_id_lengths(w, &s.first)
    write_id_lengths(w, &s.max_deleted)
    write_length(w, s.added)
    save_groups(&e.arena, s, active, w)
    return RDB_REDIS_7_2 if active else RDB_REDIS_7_0

# ---------------------------------------------------------------- reading: entries

cdef struct Words:              # texts that stay while others are read
    Slice*   words              # malloc'd, as the next
    char*    digits             # DIGITS bytes for each
    uint32_t room


cdef bint words_room(Words* w, uint64_t n) noexcept nogil:
    """Make room for n words; what is there may be lost. False = no memory."""
    cdef uint32_t room = <uint32_t>n + FEW_WORDS
    if n <= w.room:
        return True
    free(w.words)
    free(w.digits)
    w.room = 0
    w.words = <Slice*>malloc(room * sizeof(Slice))
    w.digits = <char*>malloc(<size_t>room * DIGITS)
    if w.words == NULL or w.digits == NULL:
        return False
    w.room = room
    return True


cdef void words_end(Words* w) noexcept nogil:
    free(w.words)
    free(w.digits)


cdef inline void keep_word(Words* w, uint64_t i, const Item* item) noexcept nogil:
    """Note the text of an element as the i-th word."""
    item_text(item, w.digits + i * DIGITS, &w.words[i])


cdef struct StreamLoad:
    Arena*   arena
    const Config* config
    Stream*  stream
    Reader*  r
    Text     text
    Words    fields             # of the node
    Words    words              # of an entry: fields and values in turn
    Elements elements           # of the node
    StreamID base               # its ID


cdef bint take_number(StreamLoad* l, int64_t* number) noexcept nogil:
    """The node's next element, which must be a number."""
    cdef Item item
    if not elements_item(&l.elements, &item) or item.kind != ITEM_INT:
        return False
    number[0] = item.number
    return True


cdef bint take_count(StreamLoad* l, int64_t* count, uint32_t each) noexcept nogil:
    """The next element, which counts things of `each` elements that follow."""
    return take_number(l, count) and 0 <= count[0] <= (l.elements.end - l.elements.pos) // (2 * each)


cdef bint read_id(Reader* r, StreamID* id) noexcept nogil:
    cdef const char* p = read_bytes(r, ID_BYTES)
    if p == NULL:
        return False
    id.ms = swap64(load_u64(p))
    id.seq = swap64(load_u64(p + 8))
    return True


cdef bint read_id_lengths(Reader* r, StreamID* id) noexcept nogil:
    return read_length(r, &id.ms) and read_length(r, &id.seq)


cdef Status load_entry(StreamLoad* l, uint64_t field_count) noexcept nogil:
    """Read an entry of the node, and add it if it has not been deleted."""
    cdef int64_t flags, ms, seq, pairs, elements
    cdef uint64_t i, text = 0
    cdef Item item
    cdef StreamID id
    cdef bint same
    if not take_number(l, &flags) or not take_number(l, &ms) or not take_number(l, &seq):
        return FAILED
    if flags & ~<int64_t>(ENTRY_DELETED | ENTRY_SAME_FIELDS):
        return FAILED
    same = flags & ENTRY_SAME_FIELDS != 0
    pairs = <int64_t>field_count
    if not same and not take_count(l, &pairs, 2):
        return FAILED
    if not words_room(&l.words, 2 * <uint64_t>pairs):
        return NO_MEMORY
    for i in range(2 * <uint64_t>pairs):
        if same and i & 1 == 0:
            l.words.words[i] = l.fields.words[i >> 1]
        elif elements_item(&l.elements, &item):
            keep_word(&l.words, i, &item)
        else:
            return FAILED
        text += l.words.words[i].len
    if not take_number(l, &elements) or elements != HEAD_ELEMENTS + (pairs if same else 1 + 2 * pairs):
        return FAILED
    if flags & ENTRY_DELETED:
        return OK
    id.ms = l.base.ms + <uint64_t>ms
    id.seq = l.base.seq + <uint64_t>seq
    if pairs == 0 or text > STREAM_TEXT_MAX or id_compare(&id, &l.stream.last) <= 0:
        return FAILED
    return stream_append(l.arena, l.stream, l.config, &id, l.words.words, <uint32_t>pairs)


cdef Status load_node(StreamLoad* l) noexcept nogil:
    cdef int64_t live, deleted, count, zero
    cdef uint64_t i, before = l.stream.length
    cdef Item item
    cdef Status status = OK
    if not read_string(l.r, &l.text):
        return l.r.status
    if l.text.text.len != ID_BYTES:
        return FAILED
    l.base.ms = swap64(load_u64(l.text.text.ptr))
    l.base.seq = swap64(load_u64(l.text.text.ptr + 8))
    if not read_string(l.r, &l.text):
        return l.r.status
    elements_begin(&l.elements, LISTPACK, l.text.text.ptr, l.text.text.len)
    if not take_number(l, &live) or not take_number(l, &deleted) or not take_count(l, &count, 1):
        return FAILED
    if not words_room(&l.fields, <uint64_t>count):
        return NO_MEMORY
    for i in range(<uint64_t>count):
        if not elements_item(&l.elements, &item):
            return FAILED
        keep_word(&l.fields, i, &item)
    if not take_number(l, &zero) or zero != 0:
        return FAILED
    while status == OK and l.elements.pos != l.elements.end:
        status = load_entry(l, <uint64_t>count)
    if status == OK and (elements_item(&l.elements, &item) or l.elements.bad
                         or live != <int64_t>(l.stream.length - before)):
        status = FAILED
    return status


cdef Status load_entries(StreamLoad* l, uint8_t type) noexcept nogil:
    """Read nodes and figures."""
    cdef Stream* s = l.stream
    cdef StreamID last, first, max_deleted
    cdef uint64_t nodes, length, added
    cdef Status status = OK
    if not read_length(l.r, &nodes):
        return FAILED
    while nodes and status == OK:
        status = load_node(l)
        nodes -= 1
    if status != OK:
        return status
    if not read_length(l.r, &length) or not read_id_lengths(l.r, &last):
        return FAILED
    max_deleted.ms = max_deleted.seq = 0
    added = length
    if type != RDB_STREAM_LISTPACKS and not (
            read_id_lengths(l.r, &first) and read_id_lengths(l.r, &max_deleted) and read_length(l.r, &added)):
        return FAILED
    if length != s.length or added < length or id_compare(&last, &s.last) < 0 or id_compare(&last, &max_deleted) < 0:
        return FAILED
    s.last = last
    s.max_deleted = max_deleted
    s.added = added
    return OK

# ---------------------------------------------------------------- reading: groups

cdef struct Owed:               # an entry that a group has given out, and whose consumer is to come
    StreamID id
    uint64_t given_ms
    uint64_t count
    bint     placed


cdef Owed* find_owed(Owed* owed, uint64_t count, const StreamID* id) noexcept nogil:
    cdef uint64_t low = 0, high = count, middle
    while low < high:
        middle = (low + high) // 2
        if id_compare(&owed[middle].id, id) < 0:
            low = middle + 1
        else:
            high = middle
    return &owed[low] if low < count and id_compare(&owed[low].id, id) == 0 else NULL


cdef Status load_pending(StreamLoad* l, Owed** owed, uint64_t* count) noexcept nogil:
    """Read what a group has given out, by ID."""
    cdef uint64_t i, n
    cdef Owed* o
    if not read_length(l.r, &n):
        return FAILED
    if n > <uint64_t>(l.r.end - l.r.pos) // ID_BYTES:
        return FAILED
    owed[0] = <Owed*>malloc((n + 1) * sizeof(Owed))
    if owed[0] == NULL:
        return NO_MEMORY
    count[0] = n
    for i in range(n):
        o = &owed[0][i]
        if not read_id(l.r, &o.id) or not read_u64(l.r, &o.given_ms) or not read_length(l.r, &o.count):
            return FAILED
        if i and id_compare(&o.id, &owed[0][i - 1].id) <= 0:
            return FAILED
        o.placed = False
    return OK


cdef Status load_consumer(StreamLoad* l, uint8_t type, Group* g, Owed* owed, uint64_t count) noexcept nogil:
    cdef uint64_t seen, active, n
    cdef StreamID id
    cdef Owed* o
    cdef Ref ref
    if not read_string(l.r, &l.text):
        return l.r.status
    if name_find(l.arena, &g.consumers, &l.text.text, NULL):
        return FAILED
    if not read_u64(l.r, &seen):
        return FAILED
    active = seen
    if type == RDB_STREAM_LISTPACKS_3 and not read_u64(l.r, &active):
        return FAILED
    ref = consumer_create(l.arena, g, &l.text.text, <int64_t>seen)
    if ref == 0:
        return NO_MEMORY
    consumer_at(l.arena, ref).active_ms = <int64_t>active
    if not read_length(l.r, &n):
        return FAILED
    while n:
        if not read_id(l.r, &id):
            return FAILED
        o = find_owed(owed, count, &id)
        if o == NULL or o.placed:
            return FAILED
        o.placed = True
        if pending_add(l.arena, g, ref, &id, <int64_t>o.given_ms, o.count) == 0:
            return NO_MEMORY
        n -= 1
    return OK


cdef Status load_group(StreamLoad* l, uint8_t type) noexcept nogil:
    cdef Stream* s = l.stream
    cdef StreamID last
    cdef uint64_t entries_read = <uint64_t>READ_UNKNOWN, count = 0, consumers
    cdef Owed* owed = NULL
    cdef Status status
    cdef Group* g
    cdef Ref ref
    if not read_string(l.r, &l.text):
        return l.r.status
    if name_find(l.arena, &s.groups, &l.text.text, NULL) or not read_id_lengths(l.r, &last):
        return FAILED
    if type != RDB_STREAM_LISTPACKS and (not read_length(l.r, &entries_read) or <int64_t>entries_read < READ_UNKNOWN):
        return FAILED
    ref = group_create(l.arena, s, &l.text.text, &last, <int64_t>entries_read)
    if ref == 0:
        return NO_MEMORY
    g = group_at(l.arena, ref)
    if type == RDB_STREAM_LISTPACKS:        # it does not tell what the group has read
        if s.added:
            group_advance(l.arena, s, g, &last)
        else:
            g.entries_read = 0
    status = load_pending(l, &owed, &count)
    if status == OK and not read_length(l.r, &consumers):
        status = FAILED
    while status == OK and consumers:
        status = load_consumer(l, type, g, owed, count)
        consumers -= 1
    if status == OK and g.pending.count != count:
        status = FAILED
    free(owed)
    return status


cdef Status stream_load(Engine* e, Database* db, const Slice* key, Found* f, Reader* r, uint8_t type) noexcept nogil:
    cdef StreamLoad l
    cdef Ref ref = stream_new(&e.arena)
    cdef char* payload
    cdef uint64_t groups
    cdef Status status
    if ref == 0:
        return NO_MEMORY
    payload = place_value(e, db, key, f, STREAM, FORM_LARGE, sizeof(Ref), -1)
    if payload == NULL:
        arena_free(&e.arena, ref)
        return NO_MEMORY
    store_u32(payload, ref)
    memset(&l, 0, sizeof(StreamLoad))
    l.arena = &e.arena
    l.config = e.config
    l.stream = <Stream*>arena_at(&e.arena, ref)
    l.r = r
    status = load_entries(&l, type)
    if status == OK and not read_length(r, &groups):
        status = FAILED
    while status == OK and groups:
        status = load_group(&l, type)
        groups -= 1
    text_end(&l.text)
    words_end(&l.fields)
    words_end(&l.words)
    return NO_MEMORY if r.status == NO_MEMORY else status
