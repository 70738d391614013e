"""Bit fields: integers of any width at any bit of a string, with a choice of what overflow does.

A command's operations are read twice: all are checked, and the room that the writing ones need is made,
before the first one runs.
"""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy
from minikv_core.arena cimport undo_note
from minikv_core.bitmap cimport parse_bit_offset
from minikv_core.bitwords cimport swap64
from minikv_core.engine cimport *
from minikv_core.keyspace cimport (
    Found, LOOK_READ, LOOK_WRITE, look_up, notify, signal_modified, string_bytes, string_for_update,
)
from minikv_core.memory cimport load_u64
from minikv_core.numbers cimport parse_int
from minikv_core.registry cimport fn
from minikv_core.reply cimport reply_array, reply_int, reply_null
from minikv_core.session cimport fail, fail_status, fail_syntax, fail_wrong_type, is_word
from minikv_core.t_string cimport is_string
from minikv_core.types cimport *

from minikv_core.registry import KeySpec, define

cdef enum Overflow:
    OVERFLOW_WRAP = 0       # the low bits stay
    OVERFLOW_SAT = 1        # the nearest value that fits
    OVERFLOW_FAIL = 2       # nothing is written; the reply is null

cdef enum Action:
    FIELD_GET = 0
    FIELD_SET = 1
    FIELD_INCRBY = 2

cdef struct FieldOp:        # one operation
    Action   action
    Overflow overflow
    bint     signed
    uint32_t bits           # width: 1 to 64, unsigned to 63
    uint64_t offset         # first bit
    int64_t  operand        # of SET and INCRBY

# ---------------------------------------------------------------- fields

cdef uint64_t load_field(const char* p, uint64_t length, uint64_t offset, uint32_t bits) noexcept nogil:
    """The `bits` bits from `offset` on; behind the string's end they are 0."""
    cdef uint64_t at = offset >> 3, word, have
    cdef uint32_t shift = <uint32_t>(offset & 7)
    cdef char window[16]        # eight bytes that hold the first bits, and the ninth
    if length >= 9 and at <= length - 9:
        memcpy(window, p + at, 9)
    else:
        for have in range(9):
            window[have] = p[at + have] if at + have < length else 0
    word = swap64(load_u64(window))
    if shift:
        word = (word << shift) | (<uint8_t>window[8] >> (8 - shift))
    return word >> (64 - bits)


cdef void store_field(char* p, uint64_t offset, uint32_t bits, uint64_t value) noexcept nogil:
    """Write the low `bits` bits of a value at `offset`."""
    cdef uint32_t room, mask
    cdef uint8_t* byte
    while bits:
        byte = <uint8_t*>p + (offset >> 3)
        room = 8 - <uint32_t>(offset & 7)
        if room <= bits:        # up to the byte's end
            mask = 0xFF >> (8 - room)
            bits -= room
            byte[0] = <uint8_t>((byte[0] & ~mask) | ((value >> bits) & mask))
        else:
            mask = (0xFF >> (8 - bits)) << (room - bits)
            byte[0] = <uint8_t>((byte[0] & ~mask) | ((value << (room - bits)) & mask))
            bits = 0
        offset += room


cdef int64_t as_signed(uint64_t value, uint32_t bits) noexcept nogil:
    """What the low `bits` bits mean in two's complement."""
    cdef uint64_t sign = <uint64_t>1 << (bits - 1)
    value &= (sign << 1) - 1
    return <int64_t>((value ^ sign) - sign)


cdef bint add_signed(int64_t value, int64_t more, uint32_t bits, Overflow overflow, int64_t* result) noexcept nogil:
    """value + more in a signed field; True = it does not fit, and the result follows the overflow rule."""
    cdef int64_t high = <int64_t>((<uint64_t>1 << (bits - 1)) - 1), low = -high - 1
    cdef bint over = more >= 0 and value > high - more
    if not over and not (more <= 0 and value < low - more):
        result[0] = value + more
        return False
    if overflow == OVERFLOW_SAT:
        result[0] = high if over else low
    else:
        result[0] = as_signed(<uint64_t>value + <uint64_t>more, bits)
    return True


cdef bint add_unsigned(uint64_t value, int64_t more, uint32_t bits, Overflow overflow, uint64_t* result) noexcept nogil:
    """The same for an unsigned field. A value that is more than 63 bits can hold is too large as well."""
    cdef uint64_t high = (<uint64_t>1 << bits) - 1
    cdef bint over = value > high or (more > 0 and <uint64_t>more > high - value)
    if not over and not (more < 0 and value < 0 - <uint64_t>more):
        result[0] = value + <uint64_t>more
        return False
    if overflow == OVERFLOW_SAT:
        result[0] = high if over else 0
    else:
        result[0] = (value + <uint64_t>more) & high
    return True

# ---------------------------------------------------------------- arguments

cdef bint parse_type(Session* s, const Slice* arg, FieldOp* op) noexcept nogil:
    """Read "i1" to "i64" or "u1" to "u63"; False after an error reply."""
    cdef int64_t bits
    if arg.len and (arg.ptr[0] == c'i' or arg.ptr[0] == c'u') and parse_int(arg.ptr + 1, arg.len - 1, &bits):
        op.signed = arg.ptr[0] == c'i'
        if 1 <= bits <= (64 if op.signed else 63):
            op.bits = <uint32_t>bits
            return True
    fail(s, b"ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.")
    return False


cdef Status next_op(Session* s, uint32_t* at, FieldOp* op) noexcept nogil:
    """Read the operation at argv[at] and move on; `op` keeps the overflow rule in force.

    returns  OK; MISSING behind the last one; FAILED after an error reply
    """
    cdef uint32_t more
    while at[0] < s.argc:
        more = s.argc - at[0] - 1
        if is_word(&s.argv[at[0]], b"overflow") and more >= 1:
            if is_word(&s.argv[at[0] + 1], b"wrap"):
                op.overflow = OVERFLOW_WRAP
            elif is_word(&s.argv[at[0] + 1], b"sat"):
                op.overflow = OVERFLOW_SAT
            elif is_word(&s.argv[at[0] + 1], b"fail"):
                op.overflow = OVERFLOW_FAIL
            else:
                return fail(s, b"ERR Invalid OVERFLOW type specified")
            at[0] += 2
            continue
        if is_word(&s.argv[at[0]], b"get") and more >= 2:
            op.action = FIELD_GET
        elif is_word(&s.argv[at[0]], b"set") and more >= 3:
            op.action = FIELD_SET
        elif is_word(&s.argv[at[0]], b"incrby") and more >= 3:
            op.action = FIELD_INCRBY
        else:
            return fail_syntax(s)
        if not parse_type(s, &s.argv[at[0] + 1], op) or \
                not parse_bit_offset(s, &s.argv[at[0] + 2], op.bits, &op.offset):
            return FAILED
        at[0] += 3
        if op.action != FIELD_GET:
            if not parse_int(s.argv[at[0]].ptr, s.argv[at[0]].len, &op.operand):
                return fail_status(s, BAD_INT)
            at[0] += 1
        return OK
    return MISSING

# ---------------------------------------------------------------- commands

cdef bint change_field(const FieldOp* op, char* p, uint64_t old, uint64_t* reply, uint64_t* new) noexcept nogil:
    """What SET or INCRBY replies and writes; False = neither, as it overflows."""
    cdef int64_t sum
    cdef bint overflows
    if op.signed:
        overflows = add_signed(op.operand if op.action == FIELD_SET else as_signed(old, op.bits),
                               0 if op.action == FIELD_SET else op.operand, op.bits, op.overflow, &sum)
        new[0] = <uint64_t>sum
        old = <uint64_t>as_signed(old, op.bits)
    else:
        overflows = add_unsigned(<uint64_t>op.operand if op.action == FIELD_SET else old,
                                 0 if op.action == FIELD_SET else op.operand, op.bits, op.overflow, new)
    reply[0] = old if op.action == FIELD_SET else new[0]
    return not (overflows and op.overflow == OVERFLOW_FAIL)


cdef bint run_op(Session* s, const FieldOp* op, char* p, uint64_t length, bint grown) noexcept nogil:
    """Run one operation on a string and reply; True = it has changed the string."""
    cdef uint64_t old = load_field(p, length, op.offset, op.bits), reply, new
    cdef size_t at = <size_t>(op.offset >> 3)
    if op.action == FIELD_GET:
        reply_int(&s.out, as_signed(old, op.bits) if op.signed else <int64_t>old)
        return False
    if not change_field(op, p, old, &reply, &new):
        reply_null(&s.out)
        return False
    undo_note(&s.engine.arena, p + at, <size_t>((op.offset + op.bits + 7) >> 3) - at)
    store_field(p, op.offset, op.bits, new)
    reply_int(&s.out, <int64_t>reply)
    return grown or load_field(p, length, op.offset, op.bits) != old


cdef Status bit_fields(Session* s, bint read_only) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Slice* key = &s.argv[1]
    cdef char digits[24]
    cdef Slice value
    cdef Found f
    cdef FieldOp op
    cdef uint32_t at = 2, count = 0
    cdef uint64_t need = 0      # bytes that the writing operations reach
    cdef bint writes = False, changed = False, fresh, grows
    cdef Status status
    op.overflow = OVERFLOW_WRAP
    while True:
        status = next_op(s, &at, &op)
        if status != OK:
            break
        count += 1
        if op.action != FIELD_GET:
            writes = True
            need = max(need, (op.offset + op.bits + 7) >> 3)
    if status == FAILED:
        return FAILED
    if writes and read_only:
        return fail(s, b"ERR BITFIELD_RO only supports the GET subcommand")

    fresh = not look_up(s, key, s.hash, LOOK_WRITE if writes else LOOK_READ, &f)
    value.ptr = digits
    value.len = 0
    if not fresh:
        if not is_string(f.entry):
            return fail_wrong_type(s)
        string_bytes(e, f.entry, digits, &value)
    grows = need > value.len
    if writes:
        if grows:
            value.len = <uint32_t>need
        value.ptr = string_for_update(e, s.db, key, &f, value.len)
        if value.ptr == NULL:
            return fail_status(s, NO_MEMORY)
        if fresh:
            notify(e, EVENT_NEW, b"new", key, s.db)

    reply_array(&s.out, count)
    at = 2
    op.overflow = OVERFLOW_WRAP
    while next_op(s, &at, &op) == OK:
        changed |= run_op(s, &op, value.ptr, value.len, grows)
    if changed:
        signal_modified(e, s.db, key, s.hash)
        notify(e, EVENT_STRING, b"setbit", key, s.db)
    return OK


define("BITFIELD", fn(cmd_bitfield), arity=-2, flags=WRITE | DENYOOM,
       keys=KeySpec(1, 1, 1, "RW access update variable_flags"), group="bitmap", since="3.2.0",
       cost="O(1) for each operation",
       args="key [<GET encoding offset:integer|[OVERFLOW <WRAP|SAT|FAIL>] "
            "<SET encoding offset:integer value:integer|INCRBY encoding offset:integer increment:integer>> ...]",
       summary="Reads, sets and increments integers of any width within a string.")
cdef Status cmd_bitfield(Session* s) noexcept nogil:
    return bit_fields(s, False)


define("BITFIELD_RO", fn(cmd_bitfield_ro), arity=-2, flags=READONLY | FAST, keys=KeySpec(1, 1, 1, "RO access"),
       group="bitmap", since="6.0.0", cost="O(1) for each operation",
       args="key [GET encoding offset:integer [GET encoding offset:integer ...]]",
       summary="Reads integers of any width within a string.")
cdef Status cmd_bitfield_ro(Session* s) noexcept nogil:
    return bit_fields(s, True)
