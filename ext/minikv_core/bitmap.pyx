"""Bitmaps: single bits of strings, their number, the first of them, and strings combined bit by bit.

Forms. A bitmap is a string; once a bit command has written to it, it is FORM_RAW or FORM_BLOCK. Bit 0 is
the most significant bit of the first byte.

Costs. Counting, searching and combining run at the speed of memory (bitwords.pxd). BITOP works through
all sources in pieces of CHUNK bytes, so that what it has just written is still near.
"""

from libc.stddef cimport size_t
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset
from minikv_core.arena cimport arena_alloc, arena_at, arena_free, undo_note
from minikv_core.bitwords cimport (
    bits_and, bits_not, bits_one, bits_only, bits_or, bits_without, bits_xor, clz_byte, count_bits, run_of,
)
from minikv_core.engine cimport *
from minikv_core.entry cimport BLOCK_HEADER, BLOCK_MIN, Block, entry_kind
from minikv_core.generic cimport notify_overwritten
from minikv_core.keyspace cimport (
    Found, LOOK_READ, LOOK_WRITE, key_hash, look_up, notify, put_string, remove_key, signal_modified,
    string_bytes, string_for_update,
)
from minikv_core.memory cimport popcount
from minikv_core.numbers cimport parse_int
from minikv_core.registry cimport fn
from minikv_core.reply cimport reply_int
from minikv_core.session cimport fail, fail_status, fail_syntax, fail_wrong_type, is_word
from minikv_core.t_string cimport is_string
from minikv_core.types cimport *

from minikv_core.registry import KeySpec, define

cdef enum:
    CHUNK = 4096            # bytes of the result that BITOP makes at a time

cdef enum BitOp:
    OP_AND = 0
    OP_OR = 1
    OP_XOR = 2
    OP_NOT = 3
    OP_DIFF = 4             # in the first, not in any other
    OP_DIFF1 = 5            # in any other, not in the first
    OP_ANDOR = 6            # in the first and in any other
    OP_ONE = 7              # in exactly one
    OP_NONE = 8             # no such word

# ---------------------------------------------------------------- bits of a string

cdef uint64_t count_range(const char* p, uint64_t first, uint64_t end) noexcept nogil:
    """Number of set bits in [first, end); first < end."""
    cdef uint64_t low = first >> 3, high = (end + 7) >> 3
    cdef uint64_t n = count_bits(p + low, high - low)
    n -= <uint64_t>popcount(<uint8_t>p[low] & ~(0xFF >> (first & 7)) & 0xFF)
    if end & 7:
        n -= <uint64_t>popcount(<uint8_t>p[high - 1] & (0xFF >> (end & 7)))
    return n


cdef int64_t find_bit(const char* p, uint64_t first, uint64_t end, bint bit) noexcept nogil:
    """The first bit of a value in [first, end), first < end; -1 = there is none."""
    cdef uint64_t i = first >> 3, high = (end + 7) >> 3, at
    cdef uint64_t other = 0 if bit else ~<uint64_t>0
    cdef uint32_t byte = (<uint8_t>p[i] ^ <uint8_t>other) & (0xFF >> (first & 7))
    while byte == 0:
        i += 1
        i += run_of(p + i, high - i, other)
        if i == high:
            return -1
        byte = <uint8_t>p[i] ^ <uint8_t>other
    at = i * 8 + <uint64_t>clz_byte(byte)
    return <int64_t>at if at < end else -1

# ---------------------------------------------------------------- arguments

cdef bint parse_bit_offset(Session* s, const Slice* arg, uint32_t bits, uint64_t* offset) noexcept nogil:
    cdef int64_t n
    cdef bint fields = bits > 0 and arg.len > 0 and arg.ptr[0] == c'#'
    cdef int64_t most = min(s.engine.config.proto_max_bulk_len, <int64_t>0xFFFFFF00)
    if not parse_int(arg.ptr + (1 if fields else 0), arg.len - (1 if fields else 0), &n) or n < 0 or \
            (fields and n > INT64_MAX // bits) or (n * bits if fields else n) >> 3 >= most:
        fail(s, b"ERR bit offset is not an integer or out of range")
        return False
    offset[0] = <uint64_t>(n * bits if fields else n)
    return True


cdef bint parse_number(Session* s, uint32_t at, int64_t* n) noexcept nogil:
    """Read an integer, if there is such an argument; False after an error reply."""
    if s.argc > at and not parse_int(s.argv[at].ptr, s.argv[at].len, n):
        fail_status(s, BAD_INT)
        return False
    return True


cdef bint parse_unit(Session* s, uint32_t at, bint* in_bits) noexcept nogil:
    """Read BYTE or BIT, if there is such an argument; False after an error reply."""
    in_bits[0] = s.argc > at and is_word(&s.argv[at], b"bit")
    if s.argc > at and not in_bits[0] and not is_word(&s.argv[at], b"byte"):
        fail_syntax(s)
        return False
    return True


cdef bint resolve_range(uint32_t length, int64_t start, int64_t end, bint in_bits, uint64_t* first,
                        uint64_t* past) noexcept nogil:
    """The bits [first, past) of a string of `length` bytes that a range means; False = it is empty."""
    cdef int64_t total = <int64_t>length * 8 if in_bits else length
    if start < 0:
        start = max(start + total, <int64_t>0)
    if end < 0:
        end = max(end + total, <int64_t>0)
    end = min(end, total - 1)
    if start > end:
        return False
    first[0] = <uint64_t>(start if in_bits else start * 8)
    past[0] = <uint64_t>(end + 1 if in_bits else (end + 1) * 8)
    return True

# ---------------------------------------------------------------- single bits

define("SETBIT", fn(cmd_setbit), arity=4, flags=WRITE | DENYOOM, keys=KeySpec(1, 1, 1, "RW access update"),
       group="bitmap", since="2.2.0", cost="O(1), but for the bytes that a longer string needs",
       args="key offset:integer value:integer",
       summary="Sets or clears one bit of a string, padding it with zero bytes up to there; returns what the bit was.")
cdef Status cmd_setbit(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Slice* key = &s.argv[1]
    cdef char digits[24]
    cdef Slice value
    cdef Found f
    cdef uint64_t offset
    cdef int64_t bit
    cdef uint32_t at
    cdef uint8_t mask, old
    cdef bint fresh, grows
    cdef char* p
    if not parse_bit_offset(s, &s.argv[2], 0, &offset):
        return FAILED
    if not parse_int(s.argv[3].ptr, s.argv[3].len, &bit) or bit & ~<int64_t>1:
        return fail(s, b"ERR bit is not an integer or out of range")
    fresh = not look_up(s, key, s.hash, LOOK_WRITE, &f)
    value.len = 0
    if not fresh:
        if not is_string(f.entry):
            return fail_wrong_type(s)
        string_bytes(e, f.entry, digits, &value)
    at = <uint32_t>(offset >> 3)
    mask = <uint8_t>(0x80 >> (offset & 7))
    grows = at >= value.len
    p = string_for_update(e, s.db, key, &f, at + 1 if grows else value.len)
    if p == NULL:
        return fail_status(s, NO_MEMORY)
    old = 1 if <uint8_t>p[at] & mask else 0
    if grows or old != bit:
        undo_note(&e.arena, p + at, 1)
        p[at] = <char>(<uint8_t>p[at] | mask if bit else <uint8_t>p[at] & ~mask)
        signal_modified(e, s.db, key, s.hash)
        if fresh:
            notify(e, EVENT_NEW, b"new", key, s.db)
        notify(e, EVENT_STRING, b"setbit", key, s.db)
    reply_int(&s.out, old)
    return OK


define("GETBIT", fn(cmd_getbit), arity=3, flags=READONLY | FAST, keys=KeySpec(1, 1, 1, "RO access"), group="bitmap",
       since="2.2.0", cost="O(1)", args="key offset:integer",
       summary="Returns one bit of a string; bits behind its end are 0.")
cdef Status cmd_getbit(Session* s) noexcept nogil:
    cdef char digits[24]
    cdef Slice value
    cdef Found f
    cdef uint64_t offset
    if not parse_bit_offset(s, &s.argv[2], 0, &offset):
        return FAILED
    value.len = 0
    if look_up(s, &s.argv[1], s.hash, LOOK_READ, &f):
        if not is_string(f.entry):
            return fail_wrong_type(s)
        string_bytes(s.engine, f.entry, digits, &value)
    if offset >> 3 < value.len:
        reply_int(&s.out, (<uint8_t>value.ptr[offset >> 3] >> (7 - (offset & 7))) & 1)
    else:
        reply_int(&s.out, 0)
    return OK

# ---------------------------------------------------------------- ranges

define("BITCOUNT", fn(cmd_bitcount), arity=-2, flags=READONLY, keys=KeySpec(1, 1, 1, "RO access"), group="bitmap",
       since="2.6.0", cost="O(N) in the bytes of the range", args="key [start:integer end:integer [BYTE|BIT]]",
       summary="Returns how many bits of a string, or of a range of its bytes or bits, are set.",
       history=(("7.0.0", "Options `BYTE` and `BIT`."),))
cdef Status cmd_bitcount(Session* s) noexcept nogil:
    cdef char digits[24]
    cdef Slice value
    cdef Found f
    cdef int64_t start = 0, end = -1
    cdef uint64_t first, past
    cdef bint in_bits
    if s.argc == 3 or s.argc > 5:
        return fail_syntax(s)
    if not parse_number(s, 2, &start) or not parse_number(s, 3, &end) or not parse_unit(s, 4, &in_bits):
        return FAILED
    if not look_up(s, &s.argv[1], s.hash, LOOK_READ, &f):
        reply_int(&s.out, 0)
        return OK
    if not is_string(f.entry):
        return fail_wrong_type(s)
    string_bytes(s.engine, f.entry, digits, &value)
    if (start >= 0 or end >= 0 or start <= end) and resolve_range(value.len, start, end, in_bits, &first, &past):
        reply_int(&s.out, <int64_t>count_range(value.ptr, first, past))
    else:       # also with both before the first bit, which BITPOS would move there
        reply_int(&s.out, 0)
    return OK


define("BITPOS", fn(cmd_bitpos), arity=-3, flags=READONLY, keys=KeySpec(1, 1, 1, "RO access"), group="bitmap",
       since="2.8.7", cost="O(N) in the bytes of the range", args="key bit [start:integer [end:integer [BYTE|BIT]]]",
       summary="Returns the place of the first bit that is set, or clear, in a string or a range of its bytes or bits.",
       history=(("7.0.0", "Options `BYTE` and `BIT`."),))
cdef Status cmd_bitpos(Session* s) noexcept nogil:
    cdef char digits[24]
    cdef Slice value
    cdef Found f
    cdef int64_t bit, start = 0, end = -1, at = -1
    cdef uint64_t first, past
    cdef bint in_bits
    if not parse_int(s.argv[2].ptr, s.argv[2].len, &bit):
        return fail_status(s, BAD_INT)
    if bit & ~<int64_t>1:
        return fail(s, b"ERR The bit argument must be 1 or 0.")
    if s.argc > 6:
        return fail_syntax(s)
    if not parse_number(s, 3, &start) or not parse_unit(s, 5, &in_bits) or not parse_number(s, 4, &end):
        return FAILED
    if not look_up(s, &s.argv[1], s.hash, LOOK_READ, &f):
        reply_int(&s.out, -bit)         # all bits are clear
        return OK
    if not is_string(f.entry):
        return fail_wrong_type(s)
    string_bytes(s.engine, f.entry, digits, &value)
    if resolve_range(value.len, start, end, in_bits, &first, &past):
        at = find_bit(value.ptr, first, past, bit != 0)
        if at < 0 and bit == 0 and s.argc < 5:
            at = <int64_t>past          # the first one behind the end
    reply_int(&s.out, at)
    return OK

# ---------------------------------------------------------------- BITOP

cdef BitOp bit_op(const Slice* word) noexcept nogil:
    if is_word(word, b"and"):
        return OP_AND
    if is_word(word, b"or"):
        return OP_OR
    if is_word(word, b"xor"):
        return OP_XOR
    if is_word(word, b"not"):
        return OP_NOT
    if is_word(word, b"diff"):
        return OP_DIFF
    if is_word(word, b"diff1"):
        return OP_DIFF1
    if is_word(word, b"andor"):
        return OP_ANDOR
    if is_word(word, b"one"):
        return OP_ONE
    return OP_NONE


cdef inline uint32_t part(const Slice* source, uint32_t at, uint32_t n) noexcept nogil:
    """How many of the n bytes from `at` on a source has."""
    return min(source.len - at, n) if at < source.len else 0


cdef void combine(BitOp op, const Slice* sources, uint32_t count, char* to, uint32_t at, uint32_t n) noexcept nogil:
    """Write n <= CHUNK bytes of the result, those from `at` on. Sources end with zero bytes without end."""
    cdef char many[CHUNK]
    cdef bint first_last = op >= OP_DIFF and op != OP_ONE       # the others come first, as OR
    cdef uint32_t i = 1 if first_last else 0
    cdef uint32_t have = part(&sources[i], at, n)
    if have:
        memcpy(to, sources[i].ptr + at, have)
    memset(to + have, 0, n - have)
    if op == OP_NOT:
        bits_not(to, sources[0].ptr + at, n)        # the only source is as long as the result
        return
    if op == OP_ONE:
        memset(many, 0, n)
    for i in range(i + 1, count):
        have = part(&sources[i], at, n)
        if op == OP_AND:
            memset(to + have, 0, n - have)
        if have == 0:
            continue
        if op == OP_AND:
            bits_and(to, sources[i].ptr + at, have)
        elif op == OP_XOR:
            bits_xor(to, sources[i].ptr + at, have)
        elif op == OP_ONE:
            bits_one(to, many, sources[i].ptr + at, have)
        else:
            bits_or(to, sources[i].ptr + at, have)
    if not first_last:
        return
    have = part(&sources[0], at, n)
    if op != OP_DIFF1:
        memset(to + have, 0, n - have)
    if have == 0:
        return
    if op == OP_DIFF:
        bits_only(to, sources[0].ptr + at, have)
    elif op == OP_DIFF1:
        bits_without(to, sources[0].ptr + at, have)
    else:
        bits_and(to, sources[0].ptr + at, have)


cdef Status store_combined(Session* s, BitOp op, const Slice* sources, uint32_t count, uint32_t length) noexcept nogil:
    """Put the result, length > 0 bytes, under argv[2], in place of whatever is there, and tell."""
    cdef Engine* e = s.engine
    cdef Slice* key = &s.argv[2]
    cdef char bytes[BLOCK_MIN]
    cdef Slice value
    cdef Found f
    cdef Block* block
    cdef uint32_t at = 0
    cdef int old
    value.ptr = bytes
    value.len = length
    value.block = 0
    if length >= BLOCK_MIN:         # made where it stays
        value.block = arena_alloc(&e.arena, BLOCK_HEADER + <size_t>length)
        if value.block == 0:
            return fail_status(s, NO_MEMORY)
        block = <Block*>arena_at(&e.arena, value.block)
        block.holders = 1
        block.length = length
        value.ptr = <char*>block + BLOCK_HEADER
    while at < length:
        combine(op, sources, count, value.ptr + at, at, min(<uint32_t>CHUNK, length - at))
        at += CHUNK
    old = entry_kind(f.entry) if look_up(s, key, s.hash, LOOK_WRITE, &f) else -1
    if put_string(e, s.db, key, &f, &value, -1, True) != OK:
        if value.block:
            arena_free(&e.arena, value.block)
        return fail_status(s, NO_MEMORY)
    signal_modified(e, s.db, key, s.hash)
    if old < 0:
        notify(e, EVENT_NEW, b"new", key, s.db)
    else:
        notify_overwritten(e, s.db, key, <uint8_t>old, STRING)
    notify(e, EVENT_STRING, b"set", key, s.db)
    return OK


cdef bint read_sources(Session* s, Slice* sources, char* digits, uint32_t count, uint32_t* length) noexcept nogil:
    """Look the strings at argv[3], argv[4], ... up; False after an error reply.

    sources  their bytes; missing keys have none
    digits   24 bytes for each
    length   of the longest
    """
    cdef Found f
    cdef uint32_t i
    length[0] = 0
    for i in range(count):
        sources[i].len = 0
        if look_up(s, &s.argv[3 + i], key_hash(s.engine, &s.argv[3 + i]), LOOK_READ, &f):
            if not is_string(f.entry):
                fail_wrong_type(s)
                return False
            string_bytes(s.engine, f.entry, digits + <size_t>i * 24, &sources[i])
            length[0] = max(length[0], sources[i].len)
    return True


cdef void remove_target(Session* s) noexcept nogil:
    """Remove what argv[2] holds, as the result is empty."""
    cdef Engine* e = s.engine
    cdef Found f
    if look_up(s, &s.argv[2], s.hash, LOOK_WRITE, &f):
        remove_key(e, s.db, &f, e.config.lazyfree_lazy_server_del != 0)
        signal_modified(e, s.db, &s.argv[2], s.hash)
        notify(e, EVENT_GENERIC, b"del", &s.argv[2], s.db)


define("BITOP", fn(cmd_bitop), arity=-4, flags=WRITE | DENYOOM,
       keys=(KeySpec(2, 2, 1, "OW update"), KeySpec(3, -1, 1, "RO access")), group="bitmap", since="2.6.0",
       cost="O(N) in the bytes of all sources", args="<AND|OR|XOR|NOT|DIFF|DIFF1|ANDOR|ONE> destkey key [key ...]",
       summary="Combines strings bit by bit and stores the result; returns its length.",
       history=(("8.2.0", "Operations `DIFF`, `DIFF1`, `ANDOR` and `ONE`."),))
cdef Status cmd_bitop(Session* s) noexcept nogil:
    cdef BitOp op = bit_op(&s.argv[1])
    cdef uint32_t count = s.argc - 3, length
    cdef Status status = OK
    cdef Slice* sources
    if op == OP_NONE:
        return fail_syntax(s)
    if op == OP_NOT and count != 1:
        return fail(s, b"ERR BITOP NOT must be called with a single source key.")
    if count < 2 and (op == OP_DIFF or op == OP_DIFF1 or op == OP_ANDOR):
        return fail(s, b"ERR BITOP DIFF must be called with at least two source keys." if op == OP_DIFF else
                    b"ERR BITOP DIFF1 must be called with at least two source keys." if op == OP_DIFF1 else
                    b"ERR BITOP ANDOR must be called with at least two source keys.")
    sources = <Slice*>malloc(count * (sizeof(Slice) + 24))
    if sources == NULL:
        return fail_status(s, NO_MEMORY)
    if not read_sources(s, sources, <char*>(sources + count), count, &length):
        status = FAILED
    elif length:
        status = store_combined(s, op, sources, count, length)
    else:
        remove_target(s)
    free(sources)
    if status == OK:
        reply_int(&s.out, length)
    return status
