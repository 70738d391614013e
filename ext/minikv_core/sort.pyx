"""SORT and SORT_RO: the elements of a list, a set or a sorted set, in another order.

Elements are copied to process memory first: looking their weights up may remove expired keys. Then they get
their weights (BY, or the elements themselves), are sorted by them, and those that LIMIT asks for are replied,
or stored as a list, themselves or with what GET finds for them. Equal numbers are ordered by their elements;
elements of equal texts stay in their order. Texts are compared byte by byte, as in the "C" locale.
"""

from libc.math cimport isnan
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, qsort, strtod
from libc.string cimport memchr, memcmp, memcpy
from minikv_core.engine cimport (
    DENYOOM, READONLY, WRITE, EVENT_GENERIC, EVENT_LIST, EVENT_NEW, EVENT_OVERWRITTEN, EVENT_TYPE_CHANGED, Engine,
    Session,
)
from minikv_core.entry cimport Entry, entry_kind
from minikv_core.keyspace cimport (
    LOOK_READ, LOOK_WRITE, Found, free_entry, key_hash, kind_ops, link_entry, look_up, notify, remove_key,
    signal_modified, string_bytes, unlink_entry,
)
from minikv_core.numbers cimport parse_int
from minikv_core.output cimport OutMark, output_mark, output_rollback
from minikv_core.registry cimport fn
from minikv_core.reply cimport reply_array, reply_block, reply_bulk, reply_int, reply_null
from minikv_core.session cimport fail, fail_status, fail_syntax, fail_wrong_type, is_word
from minikv_core.t_hash cimport hash_get
from minikv_core.t_list cimport ListWalk, list_push, list_walk_begin, list_walk_next
from minikv_core.t_set cimport SetWalk, set_walk_begin, set_walk_next
from minikv_core.t_zset cimport ZsetWalk, zset_walk_begin, zset_walk_next
from minikv_core.types cimport FAILED, HASH, LIST, NO_MEMORY, OK, SET, STRING, ZSET, Slice, Status
from minikv_core.registry import KeySpec, KeyUnknown, define

cdef enum:
    CHUNK_BYTES = 65536     # of a pool
    NUMBER_CHARS = 1024     # longest weight that is read as a number
    DIGITS = 32

cdef struct Chunk:          # a piece of a pool; its bytes follow
    Chunk* next
    size_t used
    size_t room

cdef struct Pattern:        # of BY or GET
    bint  is_element        # "#"
    bint  has_star          # else it names nothing
    Slice prefix            # of the key, in front of the element
    Slice suffix
    Slice field             # of a hash; empty = the key is a string's

cdef struct Order:          # what is asked for
    Pattern  by
    bint     has_by
    bint     sorts          # else the elements keep their own order
    bint     alpha
    bint     descending
    int64_t  start          # LIMIT
    int64_t  count
    Slice*   target         # STORE; NULL = reply
    Pattern* gets           # malloc'd
    uint32_t get_count

cdef struct Row:            # an element; what it points to lies in the pool
    Slice  element
    Slice  weight           # text to compare by; ptr NULL = there is none
    double score            # number to compare by
    uint64_t place          # among rows of equal texts

cdef struct Work:           # work space of a command, malloc'd
    Chunk*   pool
    Row*     rows
    uint64_t count
    char*    key            # where a key is put together
    size_t   key_room

cdef struct Walk:
    int      kind
    ListWalk list
    SetWalk  set
    ZsetWalk zset

# ---------------------------------------------------------------- work space

cdef char* pool_room(Work* w, size_t n) noexcept nogil:
    """Room for n bytes that stay until the end; NULL = no memory."""
    cdef Chunk* c = w.pool
    cdef size_t room
    if c == NULL or c.room - c.used < n:
        room = max(n, <size_t>CHUNK_BYTES)
        c = <Chunk*>malloc(sizeof(Chunk) + room)
        if c == NULL:
            return NULL
        c.next = w.pool
        c.used = 0
        c.room = room
        w.pool = c
    c.used += n
    return <char*>(c + 1) + c.used - n


cdef bint pool_copy(Work* w, const Slice* text, Slice* copy) noexcept nogil:
    """Copy a text; False = no memory."""
    copy.block = 0
    copy.len = text.len
    copy.ptr = pool_room(w, text.len)
    if copy.ptr == NULL:
        return False
    if text.len:
        memcpy(copy.ptr, text.ptr, text.len)
    return True


cdef void work_end(Work* w) noexcept nogil:
    cdef Chunk* c
    while w.pool != NULL:
        c = w.pool
        w.pool = c.next
        free(c)
    free(w.rows)
    free(w.key)

# ---------------------------------------------------------------- options

cdef void set_slice(Slice* part, const char* p, const char* end) noexcept nogil:
    part.ptr = <char*>p
    part.len = <uint32_t>(end - p)
    part.block = 0


cdef void parse_pattern(const Slice* text, Pattern* p) noexcept nogil:
    cdef const char* end = text.ptr + text.len
    cdef const char* star = <const char*>memchr(text.ptr, c'*', text.len) if text.len else NULL
    cdef const char* arrow
    p.is_element = text.len == 1 and text.ptr[0] == c'#'
    p.has_star = star != NULL
    p.field.len = 0
    if star == NULL:
        return
    set_slice(&p.prefix, text.ptr, star)
    set_slice(&p.suffix, star + 1, end)
    arrow = star + 1
    while arrow + 2 < end:      # an arrow at the end belongs to the key
        if arrow[0] == c'-' and arrow[1] == c'>':
            set_slice(&p.suffix, star + 1, arrow)
            set_slice(&p.field, arrow + 2, end)
            return
        arrow += 1


cdef Status parse_order(Session* s, bint read_only, Order* o) noexcept nogil:
    """Read the options; FAILED after an error reply."""
    cdef uint32_t i = 2, more
    cdef Slice* word
    o.sorts = True
    o.has_by = o.alpha = o.descending = False
    o.start = 0
    o.count = -1
    o.target = NULL
    o.get_count = 0
    while i < s.argc:
        word = &s.argv[i]
        more = s.argc - i - 1
        if is_word(word, b"asc"):
            o.descending = False
        elif is_word(word, b"desc"):
            o.descending = True
        elif is_word(word, b"alpha"):
            o.alpha = True
        elif more >= 2 and is_word(word, b"limit"):
            if not parse_int(s.argv[i + 1].ptr, s.argv[i + 1].len, &o.start) or \
                    not parse_int(s.argv[i + 2].ptr, s.argv[i + 2].len, &o.count):
                return fail(s, b"ERR value is not an integer or out of range")
            i += 2
        elif more and not read_only and is_word(word, b"store"):
            o.target = &s.argv[i + 1]
            i += 1
        elif more and is_word(word, b"by"):
            parse_pattern(&s.argv[i + 1], &o.by)
            o.has_by = True
            if not o.by.has_star:
                o.sorts = False
            i += 1
        elif more and is_word(word, b"get"):
            parse_pattern(&s.argv[i + 1], &o.gets[o.get_count])
            o.get_count += 1
            i += 1
        else:
            return fail_syntax(s)
        i += 1
    return OK

# ---------------------------------------------------------------- what patterns name

cdef Status find_value(Session* s, Work* w, const Pattern* p, const Slice* element, char* digits, Slice* value) noexcept nogil:
    """What a pattern names for an element: value.ptr = NULL if there is nothing. NO_MEMORY."""
    cdef Engine* e = s.engine
    cdef size_t n
    cdef Slice key
    cdef Found f
    value.ptr = NULL
    value.len = 0
    value.block = 0
    if p.is_element:
        value[0] = element[0]
        return OK
    if not p.has_star:
        return OK
    n = <size_t>p.prefix.len + element.len + p.suffix.len
    if n > w.key_room or w.key == NULL:
        free(w.key)
        w.key_room = n + 64
        w.key = <char*>malloc(w.key_room)
        if w.key == NULL:
            return NO_MEMORY
    memcpy(w.key, p.prefix.ptr, p.prefix.len)
    if element.len:
        memcpy(w.key + p.prefix.len, element.ptr, element.len)
    memcpy(w.key + p.prefix.len + element.len, p.suffix.ptr, p.suffix.len)
    set_slice(&key, w.key, w.key + n)
    if not look_up(s, &key, key_hash(e, &key), LOOK_READ, &f):
        return OK
    if p.field.len:
        if entry_kind(f.entry) != HASH or not hash_get(e, f.entry, &p.field, value, digits):
            value.ptr = NULL
    elif entry_kind(f.entry) == STRING:
        string_bytes(e, f.entry, digits, value)
    return OK

# ---------------------------------------------------------------- the elements

cdef void walk_begin(Engine* e, Entry* entry, Walk* w) noexcept nogil:
    w.kind = entry_kind(entry)
    if w.kind == LIST:
        list_walk_begin(e, entry, &w.list)
    elif w.kind == SET:
        set_walk_begin(e, entry, &w.set)
    else:
        zset_walk_begin(e, entry, &w.zset)


cdef bint walk_next(Walk* w, Slice* element) noexcept nogil:
    cdef double score
    if w.kind == LIST:
        return list_walk_next(&w.list, element)
    if w.kind == SET:
        return set_walk_next(&w.set, element)
    return zset_walk_next(&w.zset, element, &score)


cdef Status load_rows(Engine* e, Entry* entry, uint64_t first, uint64_t count, Work* w) noexcept nogil:
    """Copy `count` elements from the first-th on."""
    cdef Slice element
    cdef uint64_t _
    cdef Walk walk
    if count == 0:
        return OK
    w.rows = <Row*>malloc(count * sizeof(Row))
    if w.rows == NULL:
        return NO_MEMORY
    walk_begin(e, entry, &walk)
    for _ in range(first):
        walk_next(&walk, &element)
    while w.count < count and walk_next(&walk, &element):
        if not pool_copy(w, &element, &w.rows[w.count].element):
            return NO_MEMORY
        w.rows[w.count].weight = w.rows[w.count].element
        w.rows[w.count].score = 0
        w.count += 1
    return OK


cdef uint32_t text_length(const Slice* text) noexcept nogil:
    """Bytes in front of the first zero byte."""
    cdef const char* end = <const char*>memchr(text.ptr, 0, text.len) if text.len else NULL
    return <uint32_t>(end - text.ptr) if end != NULL else text.len


cdef bint parse_score(const Slice* text, double* score) noexcept nogil:
    """Read a text up to its first zero byte as a number: what strtod reads, but for NaN, blanks and hexadecimals.

    No text is 0; too large a number is infinite.
    """
    cdef char number[NUMBER_CHARS]
    cdef char* end
    cdef int64_t n
    cdef uint32_t len = text_length(text), first = 0
    if parse_int(text.ptr, len, &n):
        score[0] = <double>n
        return True
    if len == 0:
        score[0] = 0
        return True
    if len >= NUMBER_CHARS or text.ptr[0] == c' ' or c'\t' <= text.ptr[0] <= c'\r':
        return False
    memcpy(number, text.ptr, len)
    number[len] = 0
    first = number[0] == c'-' or number[0] == c'+'
    if number[first] == c'0' and number[first + 1] | 32 == c'x':
        return False
    score[0] = strtod(number, &end)
    return end == number + len and not isnan(score[0])


cdef Status weigh_rows(Session* s, const Order* o, Work* w) noexcept nogil:
    """Find what the rows are compared by; FAILED after an error reply."""
    cdef char digits[DIGITS]
    cdef bint all_numbers = True
    cdef Slice value
    cdef uint64_t i
    cdef Row* row
    for i in range(w.count):
        row = &w.rows[i]
        row.place = w.count - i if o.descending else i      # they will be reversed
        value = row.element
        if o.has_by:
            if find_value(s, w, &o.by, &row.element, digits, &value) != OK:
                return fail_status(s, NO_MEMORY)
            row.weight.ptr = NULL
            if value.ptr == NULL:
                continue
            if o.alpha and not pool_copy(w, &value, &row.weight):
                return fail_status(s, NO_MEMORY)
        if not o.alpha:
            all_numbers &= parse_score(&value, &row.score)
        elif o.target == NULL:
            row.weight.len = text_length(&row.weight)       # as strcoll has it
    if not all_numbers:
        return fail(s, b"ERR One or more scores can't be converted into double")
    return OK


cdef int compare_texts(const Slice* a, const Slice* b) noexcept nogil:
    """No text comes before all texts."""
    cdef int order
    if a.ptr == NULL or b.ptr == NULL:
        return (a.ptr != NULL) - (b.ptr != NULL)
    order = memcmp(a.ptr, b.ptr, min(a.len, b.len))
    return order if order else (a.len > b.len) - (a.len < b.len)


cdef int compare_scores(const void* a, const void* b) noexcept nogil:
    cdef const Row* p = <const Row*>a
    cdef const Row* q = <const Row*>b
    if p.score != q.score:
        return 1 if p.score > q.score else -1
    return compare_texts(&p.element, &q.element)


cdef int compare_weights(const void* a, const void* b) noexcept nogil:
    cdef const Row* p = <const Row*>a
    cdef const Row* q = <const Row*>b
    cdef int order = compare_texts(&p.weight, &q.weight)
    return order if order else (p.place > q.place) - (p.place < q.place)


cdef void reverse_rows(Work* w) noexcept nogil:
    cdef uint64_t i
    cdef Row row
    for i in range(w.count // 2):
        row = w.rows[i]
        w.rows[i] = w.rows[w.count - 1 - i]
        w.rows[w.count - 1 - i] = row

# ---------------------------------------------------------------- what becomes of them

cdef Status reply_rows(Session* s, const Order* o, Work* w, const Row* rows, uint64_t count) noexcept nogil:
    """Reply with elements, or with what GET finds for them."""
    cdef char digits[DIGITS]
    cdef uint64_t i
    cdef uint32_t j
    cdef Slice value
    cdef OutMark before
    output_mark(&s.out, &before)
    reply_array(&s.out, <int64_t>(count * max(o.get_count, <uint32_t>1)))
    for i in range(count):
        if o.get_count == 0:
            reply_bulk(&s.out, rows[i].element.ptr, rows[i].element.len)
        for j in range(o.get_count):
            if find_value(s, w, &o.gets[j], &rows[i].element, digits, &value) != OK:
                output_rollback(&s.out, &before)
                return fail_status(s, NO_MEMORY)
            if value.ptr == NULL:
                reply_null(&s.out)
            elif value.block:
                reply_block(&s.out, value.block, 0, value.len)
            else:
                reply_bulk(&s.out, value.ptr, value.len)
    return OK


cdef Status push_values(Session* s, Found* f, const Slice* target, const Slice* values, uint64_t count) noexcept nogil:
    cdef uint64_t i
    for i in range(count):
        if list_push(s.engine, s.db, target, f, &values[i], False) != OK:
            return NO_MEMORY
    return OK


cdef Status store_values(Session* s, const Slice* target, const Slice* values, uint64_t count) noexcept nogil:
    """Put values as a list in place of what a key holds, or remove that if there are none; reply with their number."""
    cdef Engine* e = s.engine
    cdef bint lazy = e.config.lazyfree_lazy_server_del != 0
    cdef uint64_t hash = key_hash(e, target)
    cdef int old_kind = -1
    cdef Found old, f
    if look_up(s, target, hash, LOOK_WRITE, &old):
        old_kind = entry_kind(old.entry)
    if count == 0:
        if old_kind >= 0:
            remove_key(e, s.db, &old, lazy)
            signal_modified(e, s.db, target, hash)
            notify(e, EVENT_GENERIC, b"del", target, s.db)
        reply_int(&s.out, 0)
        return OK
    # the old value stays at hand until the list is whole
    if old_kind >= 0:
        unlink_entry(e, s.db, &old)
    f.entry = NULL
    f.hash = hash
    if push_values(s, &f, target, values, count) != OK:
        if f.entry != NULL:
            remove_key(e, s.db, &f, True)
        if old_kind >= 0 and link_entry(e, s.db, hash, old.ref) != OK:
            free_entry(e, old.ref, True)
        return fail_status(s, NO_MEMORY)
    if old_kind >= 0:
        free_entry(e, old.ref, lazy)
    signal_modified(e, s.db, target, hash)
    if old_kind < 0:
        notify(e, EVENT_NEW, b"new", target, s.db)
    else:
        notify(e, EVENT_OVERWRITTEN, b"overwritten", target, s.db)
        if old_kind != LIST:
            notify(e, EVENT_TYPE_CHANGED, b"type_changed", target, s.db)
    notify(e, EVENT_LIST, b"sortstore", target, s.db)
    reply_int(&s.out, <int64_t>count)
    return OK


cdef Status store_rows(Session* s, const Order* o, Work* w, const Row* rows, uint64_t count) noexcept nogil:
    """Store elements, or what GET finds for them: nothing is an empty string."""
    cdef uint64_t total = count * max(o.get_count, <uint32_t>1), i, n = 0
    cdef Slice* values = <Slice*>malloc((total + 1) * sizeof(Slice))
    cdef char digits[DIGITS]
    cdef Slice value
    cdef uint32_t j
    cdef Status status = OK
    if values == NULL:
        return fail_status(s, NO_MEMORY)
    for i in range(count):
        if o.get_count == 0:
            values[n] = rows[i].element
            n += 1
        for j in range(o.get_count):
            if find_value(s, w, &o.gets[j], &rows[i].element, digits, &value) != OK or not pool_copy(w, &value, &values[n]):
                status = NO_MEMORY
            n += 1
    if status == OK:
        status = store_values(s, o.target, values, total)
    else:
        fail_status(s, status)
    free(values)
    return status

# ---------------------------------------------------------------- commands

FOUND_BY_PATTERN = KeyUnknown("BY and GET make names out of the elements that are sorted")

cdef Status sort_rows(Session* s, Order* o, Entry* entry, Work* w) noexcept nogil:
    cdef uint64_t length = 0, start, count, first
    cdef bint backwards
    if entry != NULL:
        length = kind_ops(entry_kind(entry)).count(s.engine, entry)
        if entry_kind(entry) == SET and not o.sorts and o.target != NULL:
            o.sorts = o.alpha = True        # so that what is stored does not depend on the set's inner order
            o.has_by = False
    start = min(<uint64_t>max(o.start, <int64_t>0), length)
    count = length - start
    if o.count >= 0:
        count = min(count, <uint64_t>o.count)
    if o.sorts:
        if load_rows(s.engine, entry, 0, length, w) != OK:
            return fail_status(s, NO_MEMORY)
        if weigh_rows(s, o, w) != OK:
            return FAILED
        if w.count > 1:
            qsort(w.rows, w.count, sizeof(Row), compare_weights if o.alpha else compare_scores)
        if o.descending:
            reverse_rows(w)
        first = start
    else:
        backwards = o.descending and entry != NULL and entry_kind(entry) != SET
        if load_rows(s.engine, entry, length - start - count if backwards else start, count, w) != OK:
            return fail_status(s, NO_MEMORY)
        if backwards:
            reverse_rows(w)
        first = 0
    if o.target != NULL:
        return store_rows(s, o, w, w.rows + first, count)
    return reply_rows(s, o, w, w.rows + first, count)


cdef Status sort_key(Session* s, bint read_only) noexcept nogil:
    cdef Work w = [NULL, NULL, 0, NULL, 0]
    cdef Status status
    cdef int kind
    cdef Order o
    cdef Found f
    o.gets = <Pattern*>malloc(s.argc * sizeof(Pattern))
    if o.gets == NULL:
        return fail_status(s, NO_MEMORY)
    status = parse_order(s, read_only, &o)
    if status == OK:
        if look_up(s, &s.argv[1], s.hash, LOOK_READ, &f):
            kind = entry_kind(f.entry)
            if kind != LIST and kind != SET and kind != ZSET:
                status = fail_wrong_type(s)
        if status == OK:
            status = sort_rows(s, &o, f.entry, &w)
    work_end(&w)
    free(o.gets)
    return status


define("SORT", fn(cmd_sort), arity=-2, flags=WRITE | DENYOOM,
       keys=(KeySpec(1, 1, 1, "RO access"), FOUND_BY_PATTERN,
             KeyUnknown("STORE may stand anywhere behind the first key", "STORE", "OW update")),
       group="generic", since="1.0.0",
       cost="O(N + M * log(M)) for N elements, of which M are sorted",
       args="key [BY by-pattern] [LIMIT offset count] [GET get-pattern [GET get-pattern ...]] [ASC|DESC] [ALPHA] "
            "[STORE destination]",
       categories="set sortedset list dangerous -keyspace",
       summary="Sort the elements of a list, a set or a sorted set; reply with them or store them.")
cdef Status cmd_sort(Session* s) noexcept nogil:
    return sort_key(s, False)


define("SORT_RO", fn(cmd_sort_ro), arity=-2, flags=READONLY,
       keys=(KeySpec(1, 1, 1, "RO access"), FOUND_BY_PATTERN), group="generic", since="7.0.0",
       cost="O(N + M * log(M)) for N elements, of which M are sorted",
       args="key [BY by-pattern] [LIMIT offset count] [GET get-pattern [GET get-pattern ...]] [ASC|DESC] [ALPHA]",
       categories="set sortedset list dangerous -keyspace",
       summary="Sort the elements of a list, a set or a sorted set and reply with them.")
cdef Status cmd_sort_ro(Session* s) noexcept nogil:
    return sort_key(s, True)
