"""Values read from the RDB format, from bytes that nobody vouches for.

A value is built by the same functions as commands build it, so it has the form that the settings ask
for. It grows in a database of its own, that only this function knows of: a value that turns out to be
damaged half-way through, or too large, goes without a trace. Elements that come twice, scores that are
no numbers and empty values are damage too.
"""

from libc.math cimport isnan
from libc.stdint cimport int64_t, uint8_t, uint64_t
from minikv_core.arena cimport arena_alloc, arena_at, arena_free
from minikv_core.engine cimport Database, Engine
from minikv_core.entry cimport Entry
from minikv_core.keyspace cimport Found, database_init, put_string, remove_key, set_expiry, unlink_entry
from minikv_core.numbers cimport parse_double
from minikv_core.packed cimport ITEM_INT, Item, item_text
from minikv_core.rdb cimport *
from minikv_core.rdbpacked cimport (
    INTSET, LISTPACK, ZIPLIST, ZIPMAP, Elements, Packing, elements_begin, elements_item, elements_next,
)
from minikv_core.stream_dump cimport stream_load
from minikv_core.t_hash cimport hash_put
from minikv_core.t_list cimport list_push
from minikv_core.t_set cimport set_add
from minikv_core.t_zset cimport zset_put
from minikv_core.table cimport table_clear, table_find
from minikv_core.types cimport EXISTS, FAILED, MISSING, NO_MEMORY, OK, Ref, Slice, Status

cdef enum:
    PLAIN_NODE = 1                      # of RDB_LIST_QUICKLIST_2: the string is an element ...
    PACKED_NODE = 2                     # ... or a listpack

cdef int64_t EXPIRY_MAX = <int64_t>1 << 48      # Unix ms, of a field

cdef struct Load:               # a value that is being made
    Engine*      e
    Database*    db
    const Slice* key
    Found*       f
    Reader*      r
    Text         first          # what was read last: an element, a field, a member
    Text         second         # its value
    bint         expired        # fields have been left out


cdef Status load_entry(Engine* e, const Slice* key, uint64_t hash, Reader* r, int64_t at_ms,
                       Ref* entry) noexcept nogil:
    cdef Ref place = arena_alloc(&e.arena, sizeof(Database))
    cdef Database* db
    cdef Found f
    cdef Load l
    cdef Status status
    if place == 0:
        return NO_MEMORY
    db = <Database*>arena_at(&e.arena, place)
    database_init(db, 0)
    f.entry = NULL
    f.hash = hash
    l.e = e
    l.db = db
    l.key = key
    l.f = &f
    l.r = r
    l.first.unpacked = l.second.unpacked = NULL
    l.first.room = l.second.room = 0
    l.expired = False
    status = load_value(&l)
    text_end(&l.first)
    text_end(&l.second)
    f.entry = NULL
    if table_find(&e.arena, &db.keys, hash, key.ptr, key.len, &f.slot):
        f.ref = f.slot.bucket.refs[f.slot.index]
        f.entry = <Entry*>arena_at(&e.arena, f.ref)
    elif status == OK:
        status = MISSING if l.expired else FAILED       # it is empty
    if status == OK and r.pos != r.end:
        status = FAILED
    if status == OK and at_ms >= 0:
        status = set_expiry(e, db, key, &f, at_ms)
    if status == OK:
        unlink_entry(e, db, &f)
        entry[0] = f.ref
    elif f.entry != NULL:
        remove_key(e, db, &f, False)
    table_clear(&e.arena, &db.keys)
    arena_free(&e.arena, place)
    return status


cdef Status load_value(Load* l) noexcept nogil:
    cdef uint8_t type
    if not read_byte(l.r, &type):
        return l.r.status
    if type == RDB_STRING:
        if not read_string(l.r, &l.first):
            return l.r.status
        return put_string(l.e, l.db, l.key, l.f, &l.first.text, -1, False)
    if type == RDB_LIST or type == RDB_LIST_ZIPLIST or type == RDB_LIST_QUICKLIST or type == RDB_LIST_QUICKLIST_2:
        return load_list(l, type)
    if type == RDB_SET or type == RDB_SET_INTSET or type == RDB_SET_LISTPACK:
        return load_set(l, type)
    if type == RDB_HASH or type == RDB_HASH_ZIPMAP or type == RDB_HASH_ZIPLIST or type == RDB_HASH_LISTPACK:
        return load_hash(l, type)
    if RDB_HASH_DATED <= type <= RDB_HASH_LISTPACK_TTL:
        return load_expiring_hash(l, type)
    if type == RDB_ZSET or type == RDB_ZSET_2 or type == RDB_ZSET_ZIPLIST or type == RDB_ZSET_LISTPACK:
        return load_zset(l, type)
    if type == RDB_STREAM_LISTPACKS or type == RDB_STREAM_LISTPACKS_2 or type == RDB_STREAM_LISTPACKS_3:
        return stream_load(l.e, l.db, l.key, l.f, l.r, type)
    return FAILED


cdef inline Status unique(Status status) noexcept nogil:
    """What became of an element that must be new."""
    return FAILED if status == EXISTS else status


cdef Status elements_of(Load* l, Packing packing, Elements* w) noexcept nogil:
    """Begin a walk over the elements in the next string."""
    if not read_string(l.r, &l.first):
        return l.r.status
    return OK if elements_begin(w, packing, l.first.text.ptr, l.first.text.len) else FAILED


cdef inline Status ended(const Elements* w) noexcept nogil:
    return FAILED if w.bad else OK

# ---------------------------------------------------------------- lists and sets

cdef inline Status push(Load* l, const Slice* value) noexcept nogil:
    return list_push(l.e, l.db, l.key, l.f, value, False)


cdef Status push_all(Load* l, Packing packing) noexcept nogil:
    """Push the elements in the next string."""
    cdef Elements w
    cdef Slice value
    cdef Status status = elements_of(l, packing, &w)
    while status == OK and elements_next(&w, &value):
        status = push(l, &value)
    return status if status != OK else ended(&w)


cdef Status load_list(Load* l, uint8_t type) noexcept nogil:
    cdef uint64_t count, node
    cdef Status status = OK
    if type == RDB_LIST_ZIPLIST:
        return push_all(l, ZIPLIST)
    if not read_length(l.r, &count):
        return l.r.status
    while count and status == OK:
        count -= 1
        if type == RDB_LIST_QUICKLIST:
            status = push_all(l, ZIPLIST)
            continue
        node = PLAIN_NODE
        if type == RDB_LIST_QUICKLIST_2 and not read_length(l.r, &node):
            return l.r.status
        if node == PACKED_NODE:
            status = push_all(l, LISTPACK)
        elif node != PLAIN_NODE:
            status = FAILED
        elif not read_string(l.r, &l.first):
            status = l.r.status
        else:
            status = push(l, &l.first.text)
    return status


cdef Status load_set(Load* l, uint8_t type) noexcept nogil:
    cdef Elements w
    cdef Slice member
    cdef uint64_t count
    cdef Status status
    if type != RDB_SET:
        status = elements_of(l, INTSET if type == RDB_SET_INTSET else LISTPACK, &w)
        while status == OK and elements_next(&w, &member):
            status = unique(set_add(l.e, l.db, l.key, l.f, &member))
        return status if status != OK else ended(&w)
    if not read_length(l.r, &count):
        return l.r.status
    status = OK
    while count and status == OK:
        count -= 1
        if not read_string(l.r, &l.first):
            return l.r.status
        status = unique(set_add(l.e, l.db, l.key, l.f, &l.first.text))
    return status

# ---------------------------------------------------------------- hashes

cdef Status put_field(Load* l, const Slice* field, const Slice* value, int64_t expiry_ms) noexcept nogil:
    """expiry_ms    -1 = never"""
    if expiry_ms > EXPIRY_MAX or expiry_ms < -1:
        return FAILED
    if 0 <= expiry_ms < l.e.now_ms:
        l.expired = True
        return OK
    return unique(hash_put(l.e, l.db, l.key, l.f, field, value, expiry_ms))


cdef Status put_fields(Load* l, Packing packing, bint expiring) noexcept nogil:
    """Put the fields of the next string: pairs, or, `expiring`, triples with the time (0 = never)."""
    cdef Elements w
    cdef Item item
    cdef char[32] field_digits
    cdef char[32] value_digits
    cdef Slice field, value
    cdef int64_t at = -1
    cdef Status status = elements_of(l, packing, &w)
    while status == OK and elements_item(&w, &item):
        item_text(&item, field_digits, &field)
        if not elements_item(&w, &item):
            return FAILED
        item_text(&item, value_digits, &value)
        if expiring:
            if not elements_item(&w, &item) or item.kind != ITEM_INT or item.number < 0:
                return FAILED
            at = item.number if item.number else -1
        status = put_field(l, &field, &value, at)
    return status if status != OK else ended(&w)


cdef Status load_hash(Load* l, uint8_t type) noexcept nogil:
    cdef uint64_t count
    cdef Status status = OK
    if type != RDB_HASH:
        return put_fields(l, ZIPMAP if type == RDB_HASH_ZIPMAP else ZIPLIST if type == RDB_HASH_ZIPLIST else LISTPACK,
                          False)
    if not read_length(l.r, &count):
        return l.r.status
    while count and status == OK:
        count -= 1
        if not read_string(l.r, &l.first) or not read_string(l.r, &l.second):
            return l.r.status
        status = put_field(l, &l.first.text, &l.second.text, -1)
    return status


cdef Status load_expiring_hash(Load* l, uint8_t type) noexcept nogil:
    """Both families of types share their numbers; the payload's version tells them apart."""
    cdef bint dated = l.r.version >= RDB_VALKEY_9
    cdef uint64_t count, at, first = 0
    cdef Status status = OK
    if dated and type != RDB_HASH_DATED:
        return FAILED
    if (type == RDB_HASH_TTL or type == RDB_HASH_LISTPACK_TTL) and not read_u64(l.r, &first):
        return l.r.status
    if type == RDB_HASH_LISTPACK_TTL or type == RDB_HASH_LISTPACK_TTL_PREVIEW:
        return put_fields(l, LISTPACK, True)
    if first > <uint64_t>EXPIRY_MAX:
        return FAILED
    if not read_length(l.r, &count):
        return l.r.status
    while count and status == OK:
        count -= 1
        if not dated and not read_length(l.r, &at):
            return l.r.status
        if not read_string(l.r, &l.first) or not read_string(l.r, &l.second):
            return l.r.status
        if dated:
            if not read_u64(l.r, &at):
                return l.r.status
        elif at == 0:
            at = <uint64_t>-1
        elif at > <uint64_t>EXPIRY_MAX:
            return FAILED
        elif type == RDB_HASH_TTL:
            at = first + at - 1
        status = put_field(l, &l.first.text, &l.second.text, <int64_t>at)
    return status

# ---------------------------------------------------------------- sorted sets

cdef Status put_member(Load* l, const Slice* member, double score) noexcept nogil:
    if isnan(score):
        return FAILED
    return unique(zset_put(l.e, l.db, l.key, l.f, member, score))


cdef Status put_members(Load* l, Packing packing) noexcept nogil:
    """Put the members of the next string."""
    cdef Elements w
    cdef Item item
    cdef char[32] digits
    cdef Slice member
    cdef double score
    cdef Status status = elements_of(l, packing, &w)
    while status == OK and elements_item(&w, &item):
        item_text(&item, digits, &member)
        if not elements_item(&w, &item):
            return FAILED
        if item.kind == ITEM_INT:
            score = <double>item.number
        elif not parse_double(item.ptr, item.len, &score):
            return FAILED
        status = put_member(l, &member, score)
    return status if status != OK else ended(&w)


cdef Status load_zset(Load* l, uint8_t type) noexcept nogil:
    cdef uint64_t count
    cdef double score
    cdef Status status = OK
    if type == RDB_ZSET_ZIPLIST or type == RDB_ZSET_LISTPACK:
        return put_members(l, ZIPLIST if type == RDB_ZSET_ZIPLIST else LISTPACK)
    if not read_length(l.r, &count):
        return l.r.status
    while count and status == OK:
        count -= 1
        if not read_string(l.r, &l.first):
            return l.r.status
        if not (read_double(l.r, &score) if type == RDB_ZSET_2 else read_old_double(l.r, &score)):
            return l.r.status
        status = put_member(l, &l.first.text, score)
    return status
