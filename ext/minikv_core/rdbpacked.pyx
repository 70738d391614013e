"""Elements of listpacks, ziplists, intsets and zipmaps, read without trust; listpacks written."""

from libc.stddef cimport size_t
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from minikv_core.memory cimport load_i64, load_u16, load_u32, store_u16, store_u32
from minikv_core.packed cimport ITEM_INT, ITEM_STRING, Item, item_of_int, item_text, packed_read
from minikv_core.rdb cimport STRING_MAX, Writer, write_byte, write_bytes, write_length, write_room, writer_end
from minikv_core.types cimport Slice

cdef enum:
    LISTPACK_HEAD = 6
    ZIPLIST_HEAD = 10
    INTSET_HEAD = 8
    END = 0xFF              # closes all but an intset
    UNCOUNTED = 65535
    ZIPMAP_UNCOUNTED = 254
    LONG_LENGTH = 254       # first byte of a length that follows as u32

cdef extern from * nogil:
    uint32_t swap32 "__builtin_bswap32"(uint32_t n)


# ---------------------------------------------------------------- the walk

cdef inline bint refuse(Elements* w) noexcept nogil:
    w.bad = True
    w.pos = w.end
    return False


cdef bint elements_begin(Elements* w, Packing packing, const char* p, size_t n) noexcept nogil:
    w.packing = packing
    w.taken = w.count = 0
    w.counted = True
    w.bad = False
    w.before = 0
    w.number = 0
    w.pos = w.end = w.last = p
    if packing == LISTPACK:
        if n <= LISTPACK_HEAD or load_u32(p) != n or <uint8_t>p[n - 1] != END:
            return refuse(w)
        w.count = load_u16(p + 4)
        w.counted = w.count != UNCOUNTED
        w.pos = p + LISTPACK_HEAD
        w.end = p + n - 1
    elif packing == ZIPLIST:
        if n <= ZIPLIST_HEAD or load_u32(p) != n or load_u32(p + 4) >= n or <uint8_t>p[n - 1] != END:
            return refuse(w)
        w.count = load_u16(p + 8)
        w.counted = w.count != UNCOUNTED
        w.last = p + load_u32(p + 4)
        w.pos = p + ZIPLIST_HEAD
        w.end = p + n - 1
    elif packing == INTSET:
        if n < INTSET_HEAD:
            return refuse(w)
        w.width = load_u32(p)
        w.count = load_u32(p + 4)
        if w.width != 2 and w.width != 4 and w.width != 8 or <uint64_t>w.count * w.width != n - INTSET_HEAD:
            return refuse(w)
        w.pos = p + INTSET_HEAD
        w.end = p + n
    else:
        if n < 2 or <uint8_t>p[n - 1] != END:
            return refuse(w)
        w.count = <uint32_t>(<uint8_t>p[0]) * 2
        w.counted = <uint8_t>p[0] < ZIPMAP_UNCOUNTED
        w.pos = p + 1
        w.end = p + n - 1
    return True


cdef bint elements_item(Elements* w, Item* item) noexcept nogil:
    if w.pos == w.end:
        if w.counted and w.taken != w.count:
            refuse(w)
        return False
    w.taken += 1
    if w.packing == LISTPACK:
        return listpack_next(w, item)
    if w.packing == ZIPLIST:
        return ziplist_next(w, item)
    if w.packing == INTSET:
        return intset_next(w, item)
    return zipmap_next(w, item)


cdef bint elements_next(Elements* w, Slice* text) noexcept nogil:
    cdef Item item
    if not elements_item(w, &item):
        return False
    item_text(&item, w.digits, text)
    return True


cdef inline bint take_string(Elements* w, const char* p, size_t n, Item* item) noexcept nogil:
    """The string at p, if it is whole; the walk goes on behind it."""
    if <size_t>(w.end - p) < n:
        return refuse(w)
    item.kind = ITEM_STRING
    item.ptr = p
    item.len = <uint32_t>n
    w.pos = p + n
    return True


cdef inline bint take_int(Elements* w, const char* p, uint32_t width, Item* item) noexcept nogil:
    """The signed little-endian integer of 1, 2, 3, 4 or 8 bytes at p."""
    if <size_t>(w.end - p) < width:
        return refuse(w)
    item.kind = ITEM_INT
    if width == 1:
        item.number = <int8_t>p[0]
    elif width == 2:
        item.number = <int16_t>load_u16(p)
    elif width == 3:
        item.number = load_u16(p) | (<int64_t><int8_t>p[2]) * 65536
    elif width == 4:
        item.number = <int32_t>load_u32(p)
    else:
        item.number = load_i64(p)
    w.pos = p + width
    return True


# ---------------------------------------------------------------- listpacks

cdef size_t element_bytes(const char* p, size_t room) noexcept nogil:
    """Bytes of the listpack element at p; 0 if it is none, or longer than `room`, at least 1."""
    cdef uint8_t head = <uint8_t>p[0]
    cdef size_t n
    if head < 0x80:
        n = 1
    elif head < 0xC0:
        n = 1 + <size_t>(head & 63)
    elif head < 0xE0:
        n = 2
    elif head < 0xF0:
        if room < 2:
            return 0
        n = 2 + (<size_t>(head & 15) << 8 | <uint8_t>p[1])
    elif head == 0xF0:
        if room < 5:
            return 0
        n = 5 + <size_t>load_u32(p + 1)
    elif head <= 0xF4:
        n = 9 if head == 0xF4 else <size_t>(head - 0xF0) + 2
    else:
        return 0
    return n if n <= room else 0


cdef uint32_t back_length(char* to, size_t n) noexcept nogil:
    """Write the length that stands behind an element of n bytes, seven bits a byte, to be read backwards."""
    cdef uint32_t bytes = 1 if n <= 127 else 2 if n < 16383 else 3 if n < 2097151 else 4 if n < 268435455 else 5
    cdef uint32_t i
    for i in range(bytes):
        to[bytes - 1 - i] = <char>((n >> (7 * i)) & 127 | (128 if i < bytes - 1 else 0))
    return bytes


cdef bint listpack_next(Elements* w, Item* item) noexcept nogil:
    cdef char[5] back
    cdef size_t room = <size_t>(w.end - w.pos)
    cdef size_t n = element_bytes(w.pos, room)
    cdef uint32_t i, bytes
    if n == 0 or n > STRING_MAX:
        return refuse(w)
    bytes = back_length(back, n)
    if room - n < bytes:
        return refuse(w)
    for i in range(bytes):
        if w.pos[n + i] != back[i]:
            return refuse(w)
    packed_read(w.pos, item)
    w.pos += n + bytes
    return True


cdef void listpack_element(Listpack* l, const char* p, size_t n) noexcept nogil:
    cdef char[5] back
    if l.buffer.used == 0:
        write_room(&l.buffer, LISTPACK_HEAD)
    write_bytes(&l.buffer, p, n)
    write_bytes(&l.buffer, back, back_length(back, n))
    l.count += 1


cdef void listpack_int(Listpack* l, int64_t number) noexcept nogil:
    cdef Item item
    item_of_int(&item, number)
    listpack_element(l, <const char*>item.head, item.bytes)


cdef void listpack_finish(Listpack* l, Writer* to) noexcept nogil:
    if l.buffer.used == 0:
        write_room(&l.buffer, LISTPACK_HEAD)
    write_byte(&l.buffer, END)
    if l.buffer.failed:
        to.failed = True
    else:
        store_u32(l.buffer.base, <uint32_t>l.buffer.used)
        store_u16(l.buffer.base + 4, <unsigned short>(l.count if l.count < UNCOUNTED else <uint32_t>UNCOUNTED))
        write_length(to, l.buffer.used)
        write_bytes(to, l.buffer.base, l.buffer.used)
    l.buffer.used = 0
    l.count = 0


# ---------------------------------------------------------------- ziplists, intsets, zipmaps

cdef bint ziplist_next(Elements* w, Item* item) noexcept nogil:
    cdef const char* start = w.pos
    cdef const char* p = start + 1
    cdef size_t before = <uint8_t>start[0]
    cdef uint8_t head
    cdef bint good
    if before == END:
        return refuse(w)
    if before == LONG_LENGTH:
        if w.end - start < 5:
            return refuse(w)
        before = load_u32(start + 1)
        p = start + 5
    if before != w.before or p == w.end:
        return refuse(w)
    head = <uint8_t>p[0]
    if head < 0x40:
        good = take_string(w, p + 1, head, item)
    elif head < 0x80:
        good = w.end - p >= 2 and take_string(w, p + 2, <size_t>(head & 63) << 8 | <uint8_t>p[1], item)
    elif head == 0x80:
        good = w.end - p >= 5 and take_string(w, p + 5, swap32(load_u32(p + 1)), item)
    elif head == 0xC0:
        good = take_int(w, p + 1, 2, item)
    elif head == 0xD0:
        good = take_int(w, p + 1, 4, item)
    elif head == 0xE0:
        good = take_int(w, p + 1, 8, item)
    elif head == 0xF0:
        good = take_int(w, p + 1, 3, item)
    elif head == 0xFE:
        good = take_int(w, p + 1, 1, item)
    elif 0xF1 <= head <= 0xFD:
        item.kind = ITEM_INT
        item.number = (head & 15) - 1
        w.pos = p + 1
        good = True
    else:
        good = False
    if not good or (w.pos == w.end and start != w.last):
        return refuse(w)
    w.before = <size_t>(w.pos - start)
    return True


cdef bint intset_next(Elements* w, Item* item) noexcept nogil:
    take_int(w, w.pos, w.width, item)
    if w.taken > 1 and item.number <= w.number:
        return refuse(w)
    w.number = item.number
    return True


cdef bint zipmap_next(Elements* w, Item* item) noexcept nogil:
    cdef const char* p = w.pos + 1
    cdef size_t n = <uint8_t>w.pos[0], spare = 0
    if n == END:
        return refuse(w)
    if n == LONG_LENGTH:
        if w.end - w.pos < 5:
            return refuse(w)
        n = load_u32(w.pos + 1)
        p = w.pos + 5
    if w.taken & 1 == 0:            # a value: unused bytes may follow
        if p == w.end:
            return refuse(w)
        spare = <uint8_t>p[0]
        p += 1
    if not take_string(w, p, n, item):
        return False
    if <size_t>(w.end - w.pos) < spare or (w.taken & 1 and w.pos == w.end):
        return refuse(w)
    w.pos += spare
    return True


# ---------------------------------------------------------------- for the tests

def elements(str packing, bytes data):
    """The elements of a listpack, ziplist, intset or zipmap, as text.

    errors   ValueError
    """
    cdef Elements w
    cdef Slice text
    cdef const char* p = data
    found = []
    elements_begin(&w, <Packing>["listpack", "ziplist", "intset", "zipmap"].index(packing), p, len(data))
    while elements_next(&w, &text):
        found.append(text.ptr[:text.len])
    if w.bad:
        raise ValueError(packing)
    return found


def listpack(list elements):
    """A listpack of packed elements, as a string in the RDB format."""
    cdef Listpack l
    cdef Writer to
    cdef bytes packed
    l.buffer.base = to.base = NULL
    l.buffer.used = to.used = l.buffer.room = to.room = 0
    l.buffer.failed = to.failed = False
    l.count = 0
    for element in elements:
        packed = element
        listpack_element(&l, packed, len(packed))
    listpack_finish(&l, &to)
    made = to.base[:to.used]
    writer_end(&l.buffer)
    writer_end(&to)
    return made
