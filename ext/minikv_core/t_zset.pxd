# Sorted sets: the value API. What the commands share beside it is in t_zset_shared.pxd.
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcmp
from minikv_core.arena cimport arena_at
from minikv_core.btree cimport Tree, TreeCursor
from minikv_core.engine cimport Database, Engine
from minikv_core.entry cimport Entry, entry_root
from minikv_core.keyspace cimport Found
from minikv_core.table cimport Table
from minikv_core.types cimport Slice, Status

cdef enum:
    WALK_PLACES = 64        # pairs of a packed set whose places a walk backwards keeps

cdef struct Zset:           # root object of a large sorted set
    Table members
    Tree  tree

cdef struct ZsetWalk:       # a place in a sorted set; valid until the set changes
    Engine*     engine
    bint        packed
    TreeCursor  cursor      # of a large one
    uint64_t    rank        # of a packed one: pairs in front
    const char* next        # the pair here
    const char* start       # the first pair, and the end of the last
    const char* end
    uint64_t    placed      # rank of places[0]; the pairs up to `rank` follow
    uint32_t    places[WALK_PLACES]     # offsets of pairs, for walking backwards
    char        digits[32]  # text of a member that is a number

cdef struct ScoreRange:
    double min
    double max
    bint   min_open         # without the bound itself
    bint   max_open

cdef enum LexKind:
    LEX_FIRST = 0           # "-": in front of all
    LEX_CLOSED = 1          # "[": with the bound itself
    LEX_OPEN = 2            # "("
    LEX_LAST = 3            # "+": behind all

cdef struct LexRange:
    LexKind min_kind
    LexKind max_kind
    Slice   min
    Slice   max

cdef struct Scored:         # a member to be stored or replied
    const char* ptr         # borrowed: from an argument, or from a value that does not change meanwhile
    uint32_t    len
    double      score

cdef struct ScoredList:     # members collected; malloc'd
    Scored*  items
    uint64_t count
    uint64_t room
    char*    text           # chunks of text of members that are numbers: a chain
    uint32_t text_used
    bint     failed         # no memory: members are missing

# ---------------------------------------------------------------- the value API

# Walk in order; False at the end. After zset_walk_begin from the first member on; after a seek from there on.
cdef void zset_walk_begin(Engine* e, Entry* entry, ZsetWalk* w) noexcept nogil
cdef bint zset_walk_next(ZsetWalk* w, Slice* member, double* score) noexcept nogil
# The member in front of the place, and step to it; False at the start.
cdef bint zset_walk_back(ZsetWalk* w, Slice* member, double* score) noexcept nogil
# Begin at a rank (0 = the lowest), or at the first member with a score of `min` or more (more, if `open`). A walk
# over a range of scores is zset_seek_score, then zset_walk_next until a score is past the range's end.
cdef void zset_seek_rank(Engine* e, Entry* entry, uint64_t rank, ZsetWalk* w) noexcept nogil
cdef void zset_seek_score(Engine* e, Entry* entry, double min, bint open, ZsetWalk* w) noexcept nogil

cdef uint64_t zset_length(Engine* e, Entry* entry) noexcept nogil
cdef bint zset_is_empty(Engine* e, Entry* entry) noexcept nogil
cdef bint zset_score(Engine* e, Entry* entry, const Slice* member, double* score) noexcept nogil
# The rank of a member, 0 = lowest score; False = it is not there.
cdef bint zset_rank(Engine* e, Entry* entry, const Slice* member, uint64_t* rank, double* score) noexcept nogil
# Ranks [first, last) of the members within a range.
cdef void zset_score_span(Engine* e, Entry* entry, const ScoreRange* r, uint64_t* first, uint64_t* last) noexcept nogil
cdef void zset_lex_span(Engine* e, Entry* entry, const LexRange* r, uint64_t* first, uint64_t* last) noexcept nogil

# Add a member or change its score, making the key if f.entry is NULL. OK = new; EXISTS; NO_MEMORY: nothing has
# changed. No event, no signal: the command sends those.
cdef Status zset_put(Engine* e, Database* db, const Slice* key, Found* f, const Slice* member, double score) noexcept nogil
# The same, telling the score that the member had (with EXISTS).
cdef Status zset_exchange(Engine* e, Database* db, const Slice* key, Found* f, const Slice* member, double score,
                          double* had) noexcept nogil
# Choose the form for `count` members of up to `longest` bytes that are about to be added, making an empty value
# if f.entry is NULL.
cdef Status zset_expect(Engine* e, Database* db, const Slice* key, Found* f, uint64_t count, uint32_t longest) noexcept nogil
# Remove a member, or the members of ranks [first, first + count). An empty value may be left: drop_if_empty.
cdef Status zset_remove(Engine* e, Found* f, const Slice* member) noexcept nogil     # OK, MISSING or NO_MEMORY
cdef Status zset_remove_span(Engine* e, Found* f, uint64_t first, uint64_t count) noexcept nogil
# Put a new value under a key, in place of whatever is there, from members in order. NO_MEMORY: nothing has changed.
cdef Status zset_store(Engine* e, Database* db, const Slice* key, Found* f, const ScoredList* list) noexcept nogil

cdef inline Zset* zset_root(const Engine* e, Entry* entry) noexcept nogil:
    return <Zset*>arena_at(&e.arena, entry_root(entry))

cdef inline int compare_bytes(const char* p, uint32_t n, const char* q, uint32_t m) noexcept nogil:
    """Below 0, 0 or above 0, as members with one score are ordered."""
    cdef uint32_t least = min(n, m)
    cdef int c = memcmp(p, q, least) if least else 0
    return c if c else <int>(n > m) - <int>(n < m)
