# Sorted sets: the value API (t_zset.pyx), and what the modules of Z commands share.
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t, uint64_t
from minikv_core.arena cimport arena_at
from minikv_core.btree cimport Tree, TreeCursor
from minikv_core.engine cimport Database, Engine, Session
from minikv_core.entry cimport Entry, entry_root
from minikv_core.keyspace cimport Found
from minikv_core.output cimport Output
from minikv_core.table cimport Table
from minikv_core.types cimport Ref, Slice, Status

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
# Remove a member, or the members of ranks [first, first + count). An empty value may be left: zset_drop_empty.
cdef Status zset_remove(Engine* e, Found* f, const Slice* member) noexcept nogil     # OK, MISSING or NO_MEMORY
cdef Status zset_remove_span(Engine* e, Found* f, uint64_t first, uint64_t count) noexcept nogil
# Put a new value under a key, in place of whatever is there, from members in order. NO_MEMORY: nothing has changed.
cdef Status zset_store(Engine* e, Database* db, const Slice* key, Found* f, const ScoredList* list) noexcept nogil

# ---------------------------------------------------------------- what the commands share

cdef bint list_add(ScoredList* list, const char* p, uint32_t n, double score) noexcept nogil
# The same of what a walk says; the text of a number, which lies in the walk itself, is copied.
cdef bint list_add_walked(ScoredList* list, const Slice* member, double score, const void* walk, size_t n) noexcept nogil
cdef void list_free(ScoredList* list) noexcept nogil
cdef int compare_scored(const Scored* a, const Scored* b) noexcept nogil

# Remove the key if nothing is left of its value; the events of both. True if it went.
cdef bint drop_if_empty(Session* s, const Slice* key, Found* f) noexcept nogil
# Find a sorted set; FAILED after an error reply for another type. f.entry NULL = there is none.
cdef Status find_zset(Session* s, uint32_t at, int flags, Found* f) noexcept nogil
# Put a list under argv[at] as the result of a STORE command, and reply with its length.
cdef Status store_result(Session* s, uint32_t at, const ScoredList* list, const char* event) noexcept nogil
# A member with its score: a pair of its own in RESP3 (or `nested`), else two elements.
cdef void reply_pair(Output* o, const Slice* member, double score, bint nested) noexcept nogil
# How many elements `n` members with scores are at the level of their array.
cdef inline int64_t pair_elements(const Output* o, uint64_t n, bint scores) noexcept nogil:
    return <int64_t>(n * 2 if scores and o.protocol == 2 else n)

cdef inline Zset* zset_root(const Engine* e, Entry* entry) noexcept nogil:
    return <Zset*>arena_at(&e.arena, entry_root(entry))
