"""HyperLogLogs: how many different elements were added, within 1 % and 12 KiB.

A HyperLogLog is a string in Redis's format (sketch.pxd), so that GET, SET and DUMP carry it from server to
server. A sparse one becomes dense when it would exceed hll-sparse-max-bytes or a rank exceeds 32.

A sparse value is copied to the stack, changed there and stored as a whole; a dense one is changed in place.
"""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset
from minikv_core.arena cimport undo_note
from minikv_core.engine cimport *
from minikv_core.entry cimport entry_expiry
from minikv_core.keyspace cimport (
    Found, LOOK_READ, LOOK_WRITE, key_hash, look_up, notify, put_string, random_next, signal_modified,
    string_bytes, string_for_update,
)
from minikv_core.memory cimport load_u64, store_u64
from minikv_core.registry cimport fn
from minikv_core.reply cimport reply_array, reply_bulk, reply_int, reply_ok, reply_simple
from minikv_core.session cimport fail, fail_status, fail_wrong_type, is_word
from minikv_core.sketch cimport *
from minikv_core.t_string cimport is_string
from minikv_core.types cimport *

from minikv_core.registry import KeySpec, define

# ---------------------------------------------------------------- what the commands share

cdef Status fail_corrupt(Session* s) noexcept nogil:
    return fail(s, b"INVALIDOBJ Corrupted HLL object detected")


cdef Status read_sketch(Session* s, const Slice* key, uint64_t hash, int flags, Found* f, Slice* value) noexcept nogil:
    """Look a HyperLogLog up: OK, MISSING, or FAILED after an error reply."""
    cdef char digits[24]        # of a string that is a number, and so is none
    if not look_up(s, key, hash, flags, f):
        return MISSING
    if not is_string(f.entry):
        return fail_wrong_type(s)
    string_bytes(s.engine, f.entry, digits, value)
    if not is_sketch(value):
        return fail(s, b"WRONGTYPE Key is not a valid HyperLogLog string value.")
    if not is_dense(value.ptr) and value.len > SPARSE_MOST:
        return fail_corrupt(s)
    return OK


cdef Status store_sketch(Session* s, const Slice* key, Found* f, Sketch* sketch) noexcept nogil:
    """Put a changed sketch under a key, which keeps its expiry."""
    cdef Slice value
    cdef int64_t at_ms = entry_expiry(f.entry) if f.entry != NULL else -1
    forget_count(sketch.bytes)
    value.ptr = sketch.bytes
    value.len = sketch.len
    value.block = 0
    return put_string(s.engine, s.db, key, f, &value, at_ms, True)


cdef void tell(Session* s, const Slice* key, uint64_t hash, bint fresh) noexcept nogil:
    signal_modified(s.engine, s.db, key, hash)
    if fresh:
        notify(s.engine, EVENT_NEW, b"new", key, s.db)
    notify(s.engine, EVENT_STRING, b"pfadd", key, s.db)

# ---------------------------------------------------------------- PFADD

cdef bint add_dense(Session* s, char* bytes, uint32_t from_arg, bint noted) noexcept nogil:
    """Add argv[from_arg], ... to a dense sketch; True = a register has changed.

    noted    whether the bytes are in the arena, so that changes of them must be noted
    """
    cdef uint32_t i, index, rank
    cdef bint changed = False
    for i in range(from_arg, s.argc):
        rank = element_rank(s.argv[i].ptr, s.argv[i].len, &index)
        if rank > dense_get(bytes, index):
            if noted:
                undo_note(&s.engine.arena, bytes + HEAD + index * 6 // 8, 1 if index * 6 & 7 <= 2 else 2)
            dense_set(bytes, index, rank)
            changed = True
    return changed


cdef Change add_sparse(Session* s, Sketch* sketch) noexcept nogil:
    """Add argv[2], ... to a sparse sketch, which may become dense on the way."""
    cdef Change change, all = UNCHANGED
    cdef uint32_t i, index, rank
    for i in range(2, s.argc):
        rank = element_rank(s.argv[i].ptr, s.argv[i].len, &index)
        change = sparse_raise(sketch, index, rank, s.engine.config.hll_sparse_max_bytes)
        if change == CORRUPT:
            return CORRUPT
        if change == CHANGED:
            all = CHANGED
            if is_dense(sketch.bytes):
                add_dense(s, sketch.bytes, i + 1, False)
                break
    return all


define("PFADD", fn(cmd_pfadd), arity=-2, flags=WRITE | DENYOOM | FAST, keys=KeySpec(1, 1, 1, "RW insert"),
       group="hyperloglog", since="2.8.9", cost="O(1) for each element", args="key [element ...]",
       summary="Adds elements to a HyperLogLog, making it if it is missing; returns whether its estimate may have changed.")
cdef Status cmd_pfadd(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Slice* key = &s.argv[1]
    cdef Sketch sketch
    cdef Slice value
    cdef Found f
    cdef Change change
    cdef char* p
    cdef Status status = read_sketch(s, key, s.hash, LOOK_WRITE, &f, &value)
    if status == FAILED:
        return FAILED
    if status == OK and is_dense(value.ptr):
        p = string_for_update(e, s.db, key, &f, value.len)
        if p == NULL:
            return fail_status(s, NO_MEMORY)
        if add_dense(s, p, 2, True):
            undo_note(&e.arena, p + 15, 1)
            forget_count(p)
            tell(s, key, s.hash, False)
            reply_int(&s.out, 1)
        else:
            reply_int(&s.out, 0)
        return OK
    if status == OK:
        memcpy(sketch.bytes, value.ptr, value.len)
        sketch.len = value.len
    else:
        sketch_init(&sketch)
    change = add_sparse(s, &sketch)
    if change == CORRUPT:
        return fail_corrupt(s)
    if change == CHANGED or status == MISSING:
        if store_sketch(s, key, &f, &sketch) != OK:
            return fail_status(s, NO_MEMORY)
        tell(s, key, s.hash, status == MISSING)
        reply_int(&s.out, 1)
    else:
        reply_int(&s.out, 0)
    return OK

# ---------------------------------------------------------------- PFCOUNT, PFMERGE

cdef Status merge(Session* s, uint32_t from_arg, uint8_t* registers, bint* any_dense) noexcept nogil:
    """The highest value of each register in the sketches at argv[from_arg], ...; FAILED after an error reply."""
    cdef Slice value
    cdef Found f
    cdef Status status
    cdef uint32_t i
    memset(registers, 0, REGISTERS)
    for i in range(from_arg, s.argc):
        status = read_sketch(s, &s.argv[i], key_hash(s.engine, &s.argv[i]), LOOK_READ, &f, &value)
        if status == FAILED:
            return FAILED
        if status == MISSING:
            continue
        if not sketch_merge(&value, registers):
            return fail_corrupt(s)
        any_dense[0] |= is_dense(value.ptr)
    return OK


define("PFCOUNT", fn(cmd_pfcount), arity=-2, flags=READONLY | MAY_REPLICATE, keys=KeySpec(1, -1, 1, "RW access"),
       group="hyperloglog", since="2.8.9", cost="O(1) for one key whose estimate is known, else O(N) in the number of keys",
       args="key [key ...]",
       summary="Returns the estimated number of elements of a HyperLogLog, or of the union of several.")
cdef Status cmd_pfcount(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Slice* key = &s.argv[1]
    cdef uint8_t registers[REGISTERS]
    cdef Slice value
    cdef Found f
    cdef bint any_dense = False
    cdef Status status
    cdef uint64_t count
    cdef char* p
    if s.argc > 2:
        if merge(s, 1, registers, &any_dense) != OK:
            return FAILED
        reply_int(&s.out, <int64_t>count_registers(registers))
        return OK
    status = read_sketch(s, key, s.hash, LOOK_READ, &f, &value)
    if status == FAILED:
        return FAILED
    if status == MISSING:
        reply_int(&s.out, 0)
        return OK
    count = load_u64(value.ptr + 8)
    if count >> 63:
        if not sketch_unpack(&value, registers):
            return fail_corrupt(s)
        count = count_registers(registers)
        p = string_for_update(e, s.db, key, &f, value.len)
        if p != NULL:       # else it is computed again next time
            undo_note(&e.arena, p + 8, 8)
            store_u64(p + 8, count)
            signal_modified(e, s.db, key, s.hash)
    reply_int(&s.out, <int64_t>count)
    return OK


define("PFMERGE", fn(cmd_pfmerge), arity=-2, flags=WRITE | DENYOOM,
       keys=(KeySpec(1, 1, 1, "RW access insert"), KeySpec(2, -1, 1, "RO access")), group="hyperloglog", since="2.8.9",
       cost="O(N) in the number of keys", args="destkey [sourcekey ...]",
       summary="Adds what is in other HyperLogLogs to one, making it if it is missing.")
cdef Status cmd_pfmerge(Session* s) noexcept nogil:
    cdef Slice* key = &s.argv[1]
    cdef uint8_t registers[REGISTERS]
    cdef Sketch sketch
    cdef Slice value
    cdef Found f
    cdef bint any_dense = False
    cdef Status status
    if merge(s, 1, registers, &any_dense) != OK:
        return FAILED
    status = read_sketch(s, key, s.hash, LOOK_WRITE, &f, &value)
    if status == OK:
        memcpy(sketch.bytes, value.ptr, HEAD if any_dense else value.len)
        sketch.len = value.len
    else:
        sketch_init(&sketch)
    if any_dense:
        make_dense(&sketch, registers)
    elif sparse_raise_all(&sketch, registers, s.engine.config.hll_sparse_max_bytes) == CORRUPT:
        return fail_corrupt(s)
    if store_sketch(s, key, &f, &sketch) != OK:
        return fail_status(s, NO_MEMORY)
    tell(s, key, s.hash, status == MISSING)
    reply_ok(&s.out)
    return OK

# ---------------------------------------------------------------- PFDEBUG, PFSELFTEST

cdef Status convert(Session* s, Found* f, const Slice* value) noexcept nogil:
    """Make the sketch at argv[2] dense: OK, MISSING if it was, FAILED after an error reply."""
    cdef uint8_t registers[REGISTERS]
    cdef Sketch sketch
    cdef Slice dense
    if is_dense(value.ptr):
        return MISSING
    if not sketch_unpack(value, registers):
        return fail_corrupt(s)
    memcpy(sketch.bytes, value.ptr, HEAD)
    make_dense(&sketch, registers)
    dense.ptr = sketch.bytes
    dense.len = sketch.len
    dense.block = 0
    if put_string(s.engine, s.db, &s.argv[2], f, &dense, entry_expiry(f.entry), True) != OK:
        return fail_status(s, NO_MEMORY)
    signal_modified(s.engine, s.db, &s.argv[2], s.hash)
    return OK


cdef Status reply_runs(Session* s, const Slice* value) noexcept nogil:
    """The runs of a sparse sketch as text."""
    cdef size_t room = <size_t>value.len * 16, used = 0
    cdef uint32_t at = HEAD
    cdef Run run
    cdef char* text = <char*>malloc(room)
    if text == NULL:
        return fail_status(s, NO_MEMORY)
    while at < value.len:
        at = read_run(value.ptr, value.len, at, &run)
        if run.value:
            used += <size_t>snprintf(text + used, room - used, b"v:%u,%u ", run.value, run.registers)
        else:
            used += <size_t>snprintf(text + used, room - used, b"z:%u " if run.bytes == 1 else b"Z:%u ", run.registers)
    reply_bulk(&s.out, text, used - 1 if used else 0)
    free(text)
    return OK


cdef Status reply_registers(Session* s) noexcept nogil:
    """The registers of the sketch at argv[2], which becomes dense."""
    cdef uint8_t registers[REGISTERS]
    cdef Slice value
    cdef Found f
    cdef int i
    if read_sketch(s, &s.argv[2], s.hash, LOOK_WRITE, &f, &value) != OK or convert(s, &f, &value) == FAILED:
        return FAILED
    string_bytes(s.engine, f.entry, NULL, &value)
    sketch_unpack(&value, registers)
    reply_array(&s.out, REGISTERS)
    for i in range(REGISTERS):
        reply_int(&s.out, registers[i])
    return OK


define("PFDEBUG", fn(cmd_pfdebug), arity=3, flags=WRITE | DENYOOM | ADMIN, keys=KeySpec(2, 2, 1, "RW access"),
       group="hyperloglog", since="2.8.9", cost="O(1)", args="subcommand key",
       summary="Shows or changes a HyperLogLog's encoding, for tests.")
cdef Status cmd_pfdebug(Session* s) noexcept nogil:
    cdef Slice* word = &s.argv[1]
    cdef char text[160]
    cdef Slice value
    cdef Found f
    cdef Status status
    if is_word(word, b"simd"):      # the code is the same for all processors
        reply_simple(&s.out, b"enabled" if is_word(&s.argv[2], b"on") else b"disabled")
        return OK
    status = read_sketch(s, &s.argv[2], s.hash, LOOK_WRITE, &f, &value)
    if status == MISSING:
        return fail(s, b"ERR The specified key does not exist")
    if status == FAILED:
        return FAILED
    if is_word(word, b"getreg"):
        return reply_registers(s)
    if is_word(word, b"decode"):
        if is_dense(value.ptr):
            return fail(s, b"ERR HLL encoding is not sparse")
        return reply_runs(s, &value)
    if is_word(word, b"encoding"):
        reply_simple(&s.out, b"dense" if is_dense(value.ptr) else b"sparse")
        return OK
    if is_word(word, b"todense"):
        status = convert(s, &f, &value)
        if status != FAILED:
            reply_int(&s.out, 1 if status == OK else 0)
        return FAILED if status == FAILED else OK
    snprintf(text, sizeof(text), b"ERR Unknown PFDEBUG subcommand '%.*s'", <int>min(word.len, <uint32_t>100), word.ptr)
    return fail(s, text)


cdef bint registers_hold(char* bytes, uint8_t* registers) noexcept nogil:
    """Whether dense registers keep random values, beside each other."""
    cdef uint64_t random = 1
    cdef int i, _
    for _ in range(100):
        for i in range(REGISTERS):
            registers[i] = random_next(&random) & 63
            dense_set(bytes, <uint32_t>i, registers[i])
        for i in range(REGISTERS):
            if dense_get(bytes, <uint32_t>i) != registers[i]:
                return False
    return True


cdef bint estimates_hold(Sketch* sketch, char* dense, uint8_t* registers) noexcept nogil:
    """Whether estimates stay near the truth, and are the same for both encodings, up to 2**20 elements."""
    cdef uint64_t n, random = 2, element, next = 1
    cdef uint32_t index, rank
    cdef Slice value
    cdef double error
    for n in range(1, (1 << 20) + 1):
        element = random_next(&random)
        rank = element_rank(<const char*>&element, sizeof(element), &index)
        if rank > dense_get(dense, index):
            dense_set(dense, index, rank)
        if not is_dense(sketch.bytes):
            sparse_raise(sketch, index, rank, 3000)
        if n == next:
            next *= 2
            value.ptr = dense
            value.len = DENSE_BYTES
            sketch_unpack(&value, registers)
            error = <double>count_registers(registers) - <double>n
            if abs(error) > 0.05 * <double>n + 1:
                return False
            value.ptr = sketch.bytes
            value.len = sketch.len
            if not is_dense(sketch.bytes):
                if not sketch_unpack(&value, registers) or <double>count_registers(registers) - <double>n != error:
                    return False
    return True


define("PFSELFTEST", fn(cmd_pfselftest), arity=1, flags=ADMIN, group="hyperloglog", since="2.8.9",
       cost="O(1)", args="", summary="Tests the registers and the estimates of HyperLogLogs.")
cdef Status cmd_pfselftest(Session* s) noexcept nogil:
    cdef uint8_t registers[REGISTERS]
    cdef char dense[DENSE_BYTES]
    cdef Sketch sketch
    memset(dense, 0, sizeof(dense))
    if not registers_hold(dense, registers):
        return fail(s, b"ERR TESTFAILED a register has lost its value")
    memset(dense, 0, sizeof(dense))
    sketch_init(&sketch)
    if not estimates_hold(&sketch, dense, registers):
        return fail(s, b"ERR TESTFAILED an estimate is too far off")
    reply_ok(&s.out)
    return OK
