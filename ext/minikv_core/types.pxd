# The engine's vocabulary: references, slices, statuses and value kinds. Makes no module.
from libc.stdint cimport uint32_t

ctypedef uint32_t Ref       # place in an arena, units of 8 bytes from its base; 0 = none

cdef struct Slice:
    char*    ptr            # not NUL-terminated; borrowed
    uint32_t len            # bytes
    Ref      block          # the arena block that holds the bytes, owned by the request; 0 = borrowed only

cdef enum Status:
    OK = 0
    FAILED = 1              # an error reply was written
    NO_MEMORY = 2           # the arena refused
    BLOCKED = 3             # the session waits; no reply yet
    EXISTS = 4
    MISSING = 5
    BAD_INT = 6             # not a 64-bit integer
    BAD_TIME = 7            # not a usable expiry

cdef enum Kind:             # what TYPE answers; 0-7, three bits of an entry
    STRING = 0
    LIST = 1
    HASH = 2
    SET = 3
    ZSET = 4
    STREAM = 5

cdef enum Form:             # encoding; 0-7, three bits of an entry
    FORM_INT = 0            # signed little-endian integer of 1, 2, 4 or 8 bytes: "int"
    FORM_EMBSTR = 1         # inline bytes, 44 at most, as SET wrote them: "embstr"
    FORM_RAW = 2            # inline bytes: "raw"
    FORM_BLOCK = 3          # {Ref block, uint32 length}: bytes in a block of their own: "raw"
    # of the other kinds
    FORM_PACKED = 4         # elements one behind the other (packed.pxd): "listpack"
    FORM_INTSET = 5         # of SET: sorted integers: "intset"
    FORM_LARGE = 6          # {Ref root} of a structure of many objects: "hashtable", "skiplist", "quicklist", "stream"
    FORM_PACKED_TTL = 7     # of HASH: {int64 next_due}, then packed triples of field, value and expiry: "listpackex"
