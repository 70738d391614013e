# Iterating by cursor: what SCAN, HSCAN, SSCAN and ZSCAN share.
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t, uint64_t
from minikv_core.engine cimport Session
from minikv_core.keyspace cimport Found
from minikv_core.table cimport Table
from minikv_core.types cimport Ref, Slice, Status

cdef enum ScanAllowed:
    SCAN_TYPE = 1           # TYPE
    SCAN_NOVALUES = 2       # NOVALUES

cdef struct ScanOptions:
    Slice*  pattern         # NULL = all
    Slice*  kind            # name of a type; NULL = all
    int64_t count
    bint    novalues

cdef struct RefList:        # elements found; malloc'd, freed by the caller
    Ref*   refs
    size_t count
    size_t room
    bint   failed           # no memory: refs are missing

# Read the cursor at argv[at] and the options behind it; FAILED after an error reply.
cdef Status scan_begin(Session* s, uint32_t at, int allowed, uint64_t* cursor, ScanOptions* options) noexcept nogil
# The same for the value at argv[1], whose cursor is argv[2]: HSCAN, SSCAN, ZSCAN. Errors come in Redis's order.
# returns   OK f has the value; MISSING, FAILED after a reply
cdef Status scan_key(Session* s, int kind, int allowed, uint64_t* cursor, ScanOptions* options, Found* f) noexcept nogil
# Whether a name matches MATCH's pattern.
cdef bint scan_wanted(const ScanOptions* options, const char* p, uint32_t n) noexcept nogil
# Visit about options.count elements of a table; returns the next cursor, 0 at the end. Filters nothing.
cdef uint64_t scan_table(Session* s, Table* t, uint64_t cursor, const ScanOptions* options, RefList* found) noexcept nogil
