# An entry: one key with its value, expiry and access clock in one arena object. Makes no module.
#
#   [meta | clock x3 | klen | vlen] [u32 klen] [u32 vlen] [expiry] [key bytes] [payload]
#
# The first six bytes are always there. A length byte of 255 says that the real length follows as
# u32. The expiry takes 6 bytes (Unix ms below 2**48) or 8, or is absent. Nothing is aligned.
from libc.stddef cimport size_t
from libc.stdint cimport INT64_MAX, int64_t, int16_t, int32_t, int8_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy
from minikv_core.memory cimport load_i64, load_u16, load_u32, store_u16, store_u32, store_u64
from minikv_core.types cimport FORM_LARGE, Form, HASH, Kind, Ref

cdef enum:
    ENTRY_HEADER = 6
    LONG = 255              # length byte: a u32 follows
    EMBSTR_MAX = 44         # bytes of value that OBJECT ENCODING calls embstr
    BLOCK_MIN = 16384       # bytes of value from which it lives in a block of its own
    BLOCK_HEADER = 8        # bytes in front of a block's data
    BLOCK_PAYLOAD = 8       # bytes of payload that name a block: Ref, u32 length

cdef struct Entry:          # first bytes of every entry
    uint8_t meta            # bits 0-2 Kind, 3-5 Form, 6-7 expiry bytes: 0 none, 1 six, 2 eight
    uint8_t clock[3]        # low 24 bits: LRU seconds / LFU minutes and counter, as Redis keeps it
    uint8_t klen            # key bytes, or LONG
    uint8_t vlen            # payload bytes, or LONG

cdef struct Block:          # header of an out-of-line value; the bytes follow at BLOCK_HEADER
    uint32_t holders        # the entry or request that owns it, and each reply still being sent
    uint32_t length         # bytes in use when it is not (or no longer) named by an entry

cdef struct EntryView:      # an entry taken apart; pointers into the arena
    char*    key
    uint32_t klen
    uint32_t vlen
    char*    value          # payload bytes (FORM_BLOCK: the Ref and length of the block)
    char*    expiry         # NULL = never expires
    uint8_t  kind
    uint8_t  form

cdef inline uint8_t entry_kind(const Entry* e) noexcept nogil:
    return e.meta & 7

cdef inline uint8_t entry_form(const Entry* e) noexcept nogil:
    return (e.meta >> 3) & 7

cdef inline uint32_t expiry_bytes(uint8_t meta) noexcept nogil:
    """Bytes that the expiry takes: 0, 6 or 8."""
    return (0x080600 >> ((meta >> 6) * 8)) & 15

cdef inline char* entry_key(Entry* e, uint32_t* klen) noexcept nogil:
    """Key bytes of an entry; the common case is a key and a value below 255 bytes."""
    cdef char* p = <char*>e + ENTRY_HEADER + expiry_bytes(e.meta)
    if e.klen != LONG:
        klen[0] = e.klen
    else:
        klen[0] = load_u32(<char*>e + ENTRY_HEADER)
        p += 4
    if e.vlen == LONG:
        p += 4
    return p

cdef inline char* entry_value(Entry* e) noexcept nogil:
    """Where an entry's payload begins."""
    cdef uint32_t klen
    cdef char* key = entry_key(e, &klen)
    return key + klen

cdef inline void entry_view(Entry* e, EntryView* v) noexcept nogil:
    cdef char* p = <char*>e + ENTRY_HEADER
    v.kind = entry_kind(e)
    v.form = entry_form(e)
    if e.klen != LONG:
        v.klen = e.klen
    else:
        v.klen = load_u32(p)
        p += 4
    if e.vlen != LONG:
        v.vlen = e.vlen
    else:
        v.vlen = load_u32(p)
        p += 4
    v.expiry = NULL
    if e.meta >> 6:
        v.expiry = p
        p += expiry_bytes(e.meta)
    v.key = p
    v.value = p + v.klen

cdef inline int64_t entry_expiry(Entry* e) noexcept nogil:
    """Unix time in ms at which the entry expires; -1 if it never does."""
    cdef EntryView v
    if e.meta >> 6 == 0:
        return -1
    entry_view(e, &v)
    if e.meta >> 6 == 1:
        return load_u32(v.expiry) | (<int64_t>load_u16(v.expiry + 4) << 32)
    return load_i64(v.expiry)

cdef inline Ref entry_root(Entry* e) noexcept nogil:
    """The root object of a FORM_LARGE value; it ends the payload."""
    cdef EntryView v
    entry_view(e, &v)
    return load_u32(v.value + v.vlen - 4)

cdef inline bint has_field_expiry(const Entry* e) noexcept nogil:
    """Whether the payload begins with an int64: when its first field expires (a hash of such a form)."""
    return entry_kind(e) == HASH and entry_form(e) >= FORM_LARGE

cdef inline int64_t fields_due(Entry* e) noexcept nogil:
    """Unix time in ms before which no field of a hash expires; -1 = none ever does."""
    cdef int64_t at
    if not has_field_expiry(e):
        return -1
    at = load_i64(entry_value(e))
    return at if at != INT64_MAX else -1

cdef inline int64_t entry_due(Entry* e) noexcept nogil:
    """Unix time in ms at which the entry, or the first of its fields, expires; -1 = never."""
    cdef int64_t at = entry_expiry(e), fields = fields_due(e)
    return fields if at < 0 or 0 <= fields < at else at

cdef inline uint8_t expiry_width(int64_t at_ms) noexcept nogil:
    """The code in bits 6-7 of meta for an expiry: 0 for -1 (never), 1 below 2**48, 2 above."""
    if at_ms < 0:
        return 0
    return 1 if at_ms < (<int64_t>1 << 48) else 2

cdef inline size_t entry_bytes(uint32_t klen, uint32_t vlen, int64_t at_ms) noexcept nogil:
    """Bytes that an entry needs."""
    cdef size_t n = ENTRY_HEADER + <size_t>klen + vlen
    if klen >= LONG:
        n += 4
    if vlen >= LONG:
        n += 4
    if at_ms >= 0:
        n += 6 if at_ms < (<int64_t>1 << 48) else 8
    return n

cdef inline char* entry_write(Entry* e, uint8_t kind, uint8_t form, uint32_t clock, const char* key,
                              uint32_t klen, uint32_t vlen, int64_t at_ms) noexcept nogil:
    """Write all but the payload into entry_bytes() bytes; returns where the payload goes.

    key      must not overlap e
    clock    24 bits
    at_ms    -1 = never
    """
    cdef char* p = <char*>e + ENTRY_HEADER
    cdef uint8_t width = expiry_width(at_ms)
    e.meta = <uint8_t>(kind | (form << 3) | (width << 6))
    entry_set_clock(e, clock)
    e.klen = <uint8_t>klen if klen < LONG else <uint8_t>LONG
    e.vlen = <uint8_t>vlen if vlen < LONG else <uint8_t>LONG
    if klen >= LONG:
        store_u32(p, klen)
        p += 4
    if vlen >= LONG:
        store_u32(p, vlen)
        p += 4
    if width == 1:
        store_u32(p, <uint32_t>at_ms)
        store_u16(p + 4, <uint16_t>(at_ms >> 32))
        p += 6
    elif width == 2:
        store_u64(p, <uint64_t>at_ms)
        p += 8
    memcpy(p, key, klen)
    return p + klen

cdef inline uint32_t entry_clock(const Entry* e) noexcept nogil:
    return e.clock[0] | (<uint32_t>e.clock[1] << 8) | (<uint32_t>e.clock[2] << 16)

cdef inline void entry_set_clock(Entry* e, uint32_t clock) noexcept nogil:
    e.clock[0] = <uint8_t>clock
    e.clock[1] = <uint8_t>(clock >> 8)
    e.clock[2] = <uint8_t>(clock >> 16)

cdef inline int64_t load_int(const char* p, uint32_t width) noexcept nogil:
    """A FORM_INT payload of 1, 2, 4 or 8 bytes."""
    if width == 1:
        return <int8_t>p[0]
    if width == 2:
        return <int16_t>load_u16(p)
    if width == 4:
        return <int32_t>load_u32(p)
    return load_i64(p)

cdef inline uint32_t int_width(int64_t v) noexcept nogil:
    if -128 <= v <= 127:
        return 1
    if -32768 <= v <= 32767:
        return 2
    if -(<int64_t>1 << 31) <= v < (<int64_t>1 << 31):
        return 4
    return 8

cdef inline void store_int(char* p, int64_t v, uint32_t width) noexcept nogil:
    if width == 1:
        p[0] = <char>v
    elif width == 2:
        store_u16(p, <uint16_t>v)
    elif width == 4:
        store_u32(p, <uint32_t>v)
    else:
        store_u64(p, <uint64_t>v)
