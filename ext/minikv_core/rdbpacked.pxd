# What Redis keeps small values in, as its RDB files hold it: listpack, ziplist, intset and zipmap. Their
# elements are read, listpacks also written (streams consist of them).
#
# listpack   u32 bytes, u16 count; elements (packed.pxd), each with its length behind it; ff
# ziplist    u32 bytes, u32 offset of the last element, u16 count; elements, each behind the length of the one
#            before it; ff
# intset     u32 bytes of an integer, u32 count; integers, ascending
# zipmap     u8 count; keys and values behind their lengths; ff
#
# A count of 65535 (zipmap: 254 and more) says nothing. All but a ziplist's string lengths is little-endian.
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t
from minikv_core.packed cimport Item
from minikv_core.rdb cimport Writer
from minikv_core.types cimport Slice

cdef enum Packing:
    LISTPACK = 0
    ZIPLIST = 1
    INTSET = 2
    ZIPMAP = 3

cdef struct Elements:           # a walk over the elements of one
    const char* pos
    const char* end             # of the elements
    const char* last            # ziplist: where the last element is said to begin
    Packing  packing
    uint32_t width              # intset: bytes of an integer
    uint32_t taken              # elements so far
    uint32_t count              # elements, by the header
    bint     counted            # whether the header tells
    bint     bad                # they are not what they should be; the walk ends
    size_t   before             # ziplist: bytes of the element before
    int64_t  number             # intset: the integer before
    char[32] digits

cdef bint elements_begin(Elements* w, Packing packing, const char* p, size_t n) noexcept nogil    # False: w.bad
cdef bint elements_item(Elements* w, Item* item) noexcept nogil     # False = at the end, or bad
cdef bint elements_next(Elements* w, Slice* text) noexcept nogil    # the same; valid until the next

cdef struct Listpack:           # one that is being written; begins as all zero, ends with writer_end of its buffer
    Writer   buffer
    uint32_t count

# Add a packed element of n bytes, which must not be a double.
cdef void listpack_element(Listpack* l, const char* p, size_t n) noexcept nogil
cdef void listpack_int(Listpack* l, int64_t number) noexcept nogil
cdef void listpack_finish(Listpack* l, Writer* to) noexcept nogil   # writes it as a string, and empties it
