"""LCS: the longest common subsequence of two strings, as text, as a length, or as matching ranges.

The lengths of the common subsequences of all pairs of prefixes fill a table, from which the walk
back reads the answer; of several answers it gives Redis's. The table takes 4 bytes a pair and may
be as large as proto-max-bulk-len.

source   dynamic programming after Wagner and Fischer, "The String-to-String Correction Problem", 1974
"""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memset
from minikv_core.engine cimport READONLY, Session
from minikv_core.keyspace cimport LOOK_READ, Found, key_hash, look_up, string_bytes
from minikv_core.numbers cimport parse_int
from minikv_core.registry cimport fn
from minikv_core.reply cimport reply_array, reply_bulk, reply_int, reply_map, reply_text
from minikv_core.session cimport fail, fail_status, fail_syntax, is_word
from minikv_core.t_string cimport is_string
from minikv_core.types cimport BAD_INT, FAILED, OK, Slice, Status

from minikv_core.registry import KeySpec, define

cdef struct Range:          # a run of bytes that both strings have; ends are inclusive
    uint32_t a_start
    uint32_t a_end
    uint32_t b_start
    uint32_t b_end

cdef struct Ranges:         # in the order of the walk: from the ends of the strings to their starts
    Range*   items          # malloc'd
    uint32_t count
    uint32_t room

cdef struct LcsOptions:
    bint    length          # LEN
    bint    indexes         # IDX
    bint    match_lengths   # WITHMATCHLEN
    int64_t shortest        # MINMATCHLEN


cdef uint32_t* lcs_table(const Slice* a, const Slice* b) noexcept nogil:
    """Lengths for all pairs of prefixes, row by row of a; malloc'd, NULL = no memory."""
    cdef size_t width = <size_t>b.len + 1
    cdef uint32_t* table = <uint32_t*>malloc((<size_t>a.len + 1) * width * sizeof(uint32_t))
    cdef uint32_t* row
    cdef uint32_t i, j
    cdef char c
    if table == NULL:
        return NULL
    memset(table, 0, width * sizeof(uint32_t))
    row = table
    for i in range(a.len):
        row += width
        row[0] = 0
        c = a.ptr[i]
        for j in range(b.len):
            if b.ptr[j] == c:
                row[j + 1] = (row - width)[j] + 1
            else:
                row[j + 1] = max((row - width)[j + 1], row[j])
    return table


cdef bint add_range(Ranges* found, const Range* r) noexcept nogil:
    cdef uint32_t room
    cdef Range* grown
    if found.count == found.room:
        room = found.room * 2 + 16
        grown = <Range*>realloc(found.items, room * sizeof(Range))
        if grown == NULL:
            return False
        found.items = grown
        found.room = room
    found.items[found.count] = r[0]
    found.count += 1
    return True


cdef bint walk_back(const uint32_t* table, const Slice* a, const Slice* b, char* text, int64_t shortest,
                    Ranges* found) noexcept nogil:
    """Read the answer from the table, from its end: the text, or if `found` is not NULL the ranges.

    text     room for the common subsequence
    returns  False if there is no memory for the ranges
    """
    cdef size_t width = <size_t>b.len + 1
    cdef uint32_t i = a.len, j = b.len
    cdef uint32_t left = table[i * width + j]
    cdef bint open = False
    cdef Range r
    while i > 0 and j > 0 and left > 0:
        if a.ptr[i - 1] == b.ptr[j - 1]:
            left -= 1
            i -= 1
            j -= 1
            text[left] = a.ptr[i]
            if open and r.a_start == i + 1 and r.b_start == j + 1:
                r.a_start = i
                r.b_start = j
                continue
            if open and found != NULL and r.a_end - r.a_start + 1 >= shortest and not add_range(found, &r):
                return False
            r.a_start = r.a_end = i
            r.b_start = r.b_end = j
            open = True
        elif table[(i - 1) * width + j] > table[i * width + j - 1]:
            i -= 1
        else:
            j -= 1
    if open and found != NULL and r.a_end - r.a_start + 1 >= shortest:
        return add_range(found, &r)
    return True


cdef void reply_ranges(Session* s, const LcsOptions* o, const Ranges* found, uint32_t length) noexcept nogil:
    cdef uint32_t i
    cdef Range* r
    reply_map(&s.out, 2)
    reply_text(&s.out, b"matches")
    reply_array(&s.out, found.count)
    for i in range(found.count):
        r = &found.items[i]
        reply_array(&s.out, 3 if o.match_lengths else 2)
        reply_array(&s.out, 2)
        reply_int(&s.out, r.a_start)
        reply_int(&s.out, r.a_end)
        reply_array(&s.out, 2)
        reply_int(&s.out, r.b_start)
        reply_int(&s.out, r.b_end)
        if o.match_lengths:
            reply_int(&s.out, <int64_t>r.a_end - r.a_start + 1)
    reply_text(&s.out, b"len")
    reply_int(&s.out, length)


cdef Status parse_lcs_options(Session* s, LcsOptions* o) noexcept nogil:
    cdef uint32_t at = 3
    cdef Slice* word
    o.length = o.indexes = o.match_lengths = False
    o.shortest = 0
    while at < s.argc:
        word = &s.argv[at]
        if is_word(word, b"len"):
            o.length = True
        elif is_word(word, b"idx"):
            o.indexes = True
        elif is_word(word, b"withmatchlen"):
            o.match_lengths = True
        elif is_word(word, b"minmatchlen") and at + 1 < s.argc:
            at += 1
            if not parse_int(s.argv[at].ptr, s.argv[at].len, &o.shortest):
                return fail_status(s, BAD_INT)
        else:
            return fail_syntax(s)
        at += 1
    if o.length and o.indexes:
        return fail(s, b"ERR If you want both the length and indexes, please just use IDX.")
    return OK


define("LCS", fn(cmd_lcs), arity=-3, flags=READONLY, keys=KeySpec(1, 2, 1, "RO access"), group="string",
       since="7.0.0", cost="O(N*M) in the lengths of the two strings",
       args="key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]",
       summary="Finds the longest subsequence that two strings have in common.")
cdef Status cmd_lcs(Session* s) noexcept nogil:
    cdef char digits[2][24]
    cdef Slice values[2]
    cdef Found f[2]
    cdef LcsOptions o
    cdef Ranges found
    cdef uint32_t* table
    cdef uint32_t length
    cdef char* text
    cdef int i
    cdef bint ok
    for i in range(2):      # both, before the values are taken: a look-up may remove an expired key
        look_up(s, &s.argv[1 + i], key_hash(s.engine, &s.argv[1 + i]), LOOK_READ, &f[i])
    for i in range(2):
        if f[i].entry != NULL and not is_string(f[i].entry):
            return fail(s, b"ERR The specified keys must contain string values")
        values[i].ptr = digits[i]
        values[i].len = 0
        if f[i].entry != NULL:
            string_bytes(s.engine, f[i].entry, digits[i], &values[i])
    if parse_lcs_options(s, &o) != OK:
        return FAILED
    if <uint64_t>values[0].len + 1 > \
            <uint64_t>s.engine.config.proto_max_bulk_len // sizeof(uint32_t) // (<uint64_t>values[1].len + 1):
        return fail(s, b"ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len")
    table = lcs_table(&values[0], &values[1])
    if table == NULL:
        return fail(s, b"ERR Insufficient memory, failed allocating transient memory for LCS")
    length = table[(<size_t>values[0].len + 1) * (<size_t>values[1].len + 1) - 1]
    if o.length:
        reply_int(&s.out, length)
        free(table)
        return OK
    found.items = NULL
    found.count = found.room = 0
    text = <char*>malloc(<size_t>length + 1)
    ok = text != NULL and walk_back(table, &values[0], &values[1], text, o.shortest, &found if o.indexes else NULL)
    if not ok:
        fail(s, b"ERR Insufficient memory, failed allocating transient memory for LCS")
    elif o.indexes:
        reply_ranges(s, &o, &found, length)
    else:
        reply_bulk(&s.out, text, length)
    free(text)
    free(found.items)
    free(table)
    return OK if ok else FAILED
