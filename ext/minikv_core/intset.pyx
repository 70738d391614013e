"""Sets of integers: searching, widening and writing them. See intset.pxd for their bytes."""

from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memmove
from minikv_core.entry cimport load_int, store_int


cdef bint intset_find(const char* p, uint32_t bytes, int64_t number, uint32_t* at) noexcept nogil:
    cdef uint32_t low = 0, high = intset_count(p, bytes), middle
    cdef int64_t found
    if high == 0 or intset_at(p, high - 1) < number:    # numbers often come in order
        at[0] = high
        return False
    while low < high:
        middle = (low + high) >> 1
        found = intset_at(p, middle)
        if found == number:
            at[0] = middle
            return True
        if found < number:
            low = middle + 1
        else:
            high = middle
    at[0] = low
    return False


cdef void intset_widen(char* p, uint32_t count, uint32_t width, bint gap) noexcept nogil:
    cdef uint32_t old = intset_width(p), i = count
    while i:        # the last first: none is overwritten before it has moved
        i -= 1
        store_int(p + 1 + <size_t>(i + gap) * width, load_int(p + 1 + <size_t>i * old, old), width)
    p[0] = <char>width


cdef uint32_t intset_bytes(const int64_t* numbers, uint32_t count) noexcept nogil:
    return 1 + count * max(width_needed(numbers[0]), width_needed(numbers[count - 1]))


cdef void intset_write(char* p, const int64_t* numbers, uint32_t count) noexcept nogil:
    cdef uint32_t width = max(width_needed(numbers[0]), width_needed(numbers[count - 1])), i
    p[0] = <char>width
    for i in range(count):
        store_int(p + 1 + <size_t>i * width, numbers[i], width)

# ---------------------------------------------------------------- for the tests


def build(list numbers):
    """The bytes of a set of numbers, which are sorted."""
    cdef uint32_t count = <uint32_t>len(numbers), i
    cdef int64_t* sorted_numbers = <int64_t*>malloc(count * sizeof(int64_t))
    cdef bytearray room
    for i in range(count):
        sorted_numbers[i] = numbers[i]
    room = bytearray(intset_bytes(sorted_numbers, count))
    intset_write(room, sorted_numbers, count)
    free(sorted_numbers)
    return bytes(room)


def numbers_of(bytes packed):
    return [intset_at(packed, i) for i in range(intset_count(packed, <uint32_t>len(packed)))]


def find(bytes packed, int64_t number):
    """(whether it is there, its place)."""
    cdef uint32_t at
    cdef bint found = intset_find(packed, <uint32_t>len(packed), number, &at)
    return found, at


def insert(bytes packed, int64_t number):
    """The bytes with a number more, which is not there yet."""
    cdef uint32_t at, count = intset_count(packed, <uint32_t>len(packed))
    cdef uint32_t width = max(intset_width(packed), width_needed(number))
    cdef bytearray room = bytearray(packed)
    cdef char* p
    intset_find(packed, <uint32_t>len(packed), number, &at)
    room.extend(bytes(1 + (count + 1) * width - len(packed)))
    p = room
    if width > intset_width(packed):
        intset_widen(p, count, width, number < 0)
    else:
        memmove(p + 1 + (at + 1) * width, p + 1 + at * width, (count - at) * width)
    store_int(p + 1 + at * width, number, width)
    return bytes(room)
