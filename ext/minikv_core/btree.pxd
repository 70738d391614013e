# The tree: an order-statistic B+ tree of references to arena objects.
#
# A leaf is a sorted array of entries {prefix, ref} of 8 bytes, an inner node one of branches {prefix,
# first, child, count} of 16. A prefix is the most significant part of an object's key as a number that
# orders as keys do, so that a search looks into objects only where prefixes are equal. A branch begins
# with its child's first entry, and says how many entries lie below: that gives ranks.
#
# A node that is full gives to a neighbour or splits in two halves (nodes fill to 0.8 under random
# inserts); at either end of the tree it splits beside its last entry, so that what comes in order leaves
# full nodes. Two neighbours merge when they would fill three quarters of a node. A tree of one leaf has a
# leaf that grows with it. There are no links between neighbours: a cursor holds the path from the top.
#
# The objects are the owner's. While one is in a tree, its key does not change but by tree_rekey.
from libc.stddef cimport size_t
from libc.stdint cimport UINT32_MAX, uint8_t, uint16_t, uint32_t, uint64_t
from minikv_core.arena cimport Arena
from minikv_core.memory cimport load_u64
from minikv_core.types cimport Ref, Status

cdef enum:
    TREE_ROOM = 63          # entries or branches of a node
    TREE_DEPTH = 12         # levels that a cursor has room for; 2**32 entries need 8 at most

cdef enum TreeOrder:        # what the objects are, and their order
    TREE_SCORED = 0         # members of a sorted set (member.pxd, SCORED_KEY): score, then bytes
    TREE_ID = 1             # objects that begin with two native u64 (8-aligned or not): ms, seq

cdef enum TreeSide:         # where a key stands among objects that are equal as far as it says
    SIDE_BEFORE = -1
    SIDE_EXACT = 0          # TREE_SCORED: the bytes decide
    SIDE_BEHIND = 1

cdef struct TreeKey:        # what is searched for
    uint32_t prefix
    int      side           # TreeSide
    uint64_t high           # TREE_SCORED: the score's image; TREE_ID: ms
    uint64_t low            # TREE_ID: seq
    const char* ptr         # TREE_SCORED: the member's bytes, for SIDE_EXACT
    uint32_t len

cdef struct Leaf:           # an entry of a leaf, and the first bytes of a branch
    uint32_t prefix
    Ref      ref

cdef struct Branch:         # an entry of an inner node
    Leaf     first          # the child's first entry
    Ref      child
    uint32_t count          # entries of leaves below

cdef struct TreeNode:       # header; entries or branches follow
    uint8_t  level          # 0 = leaf
    uint8_t  pad[3]
    uint16_t count
    uint16_t room           # TREE_ROOM, but for a leaf that is the whole tree

cdef struct Tree:           # lies in the owner's root object; all zero but for `order` = empty
    Ref      top            # the top node; 0 = empty
    uint8_t  levels         # of nodes; 0 = empty
    uint8_t  order          # TreeOrder
    uint8_t  pad[2]
    uint64_t count          # entries
    uint64_t bytes          # arena bytes of all nodes

cdef struct TreeCursor:     # a place in a tree; valid until its next change
    TreeNode* nodes[TREE_DEPTH]     # the path, by level
    uint32_t at[TREE_DEPTH]         # index of the entry or branch on the path
    uint32_t levels         # 0 = the tree is empty
    uint64_t rank           # entries in front of it
    Ref      ref            # the object here; 0 = behind the last one

# ---------------------------------------------------------------- keys

cdef inline uint64_t score_image(double score) noexcept nogil:
    """A number that orders as scores do; both zeros are equal."""
    cdef double sum = score + 0.0       # -0.0 + 0.0 = 0.0
    cdef uint64_t bits = load_u64(&sum)
    return ~bits if bits >> 63 else bits | (<uint64_t>1 << 63)

cdef inline uint32_t id_prefix(uint64_t ms) noexcept nogil:
    """About a second; times past the year 2109 are all equal here."""
    return <uint32_t>(ms >> 10) if ms >> 42 == 0 else UINT32_MAX

cdef inline void key_of_member(TreeKey* k, double score, const char* p, uint32_t n) noexcept nogil:
    """TREE_SCORED: one member."""
    k.high = score_image(score)
    k.low = 0
    k.prefix = <uint32_t>(k.high >> 32)
    k.side = SIDE_EXACT
    k.ptr = p
    k.len = n

cdef inline void key_of_score(TreeKey* k, double score, bint behind) noexcept nogil:
    """TREE_SCORED: the place in front of all members of a score, or behind them."""
    k.high = score_image(score)
    k.low = 0
    k.prefix = <uint32_t>(k.high >> 32)
    k.side = SIDE_BEHIND if behind else SIDE_BEFORE
    k.ptr = NULL
    k.len = 0

cdef inline void key_of_id(TreeKey* k, uint64_t ms, uint64_t seq) noexcept nogil:
    """TREE_ID: one object, or the first one that is not less."""
    k.high = ms
    k.low = seq
    k.prefix = id_prefix(ms)
    k.side = SIDE_EXACT
    k.ptr = NULL
    k.len = 0

# ---------------------------------------------------------------- trees (btree.pyx)

cdef void tree_init(Tree* t, uint8_t order) noexcept nogil
# Free all nodes at once (the objects stay); the tree is empty.
cdef void tree_clear(Arena* a, Tree* t) noexcept nogil

# Add an object whose key the tree does not have. NO_MEMORY leaves the tree with the entries that it had.
cdef Status tree_insert(Arena* a, Tree* t, const TreeKey* key, Ref ref) noexcept nogil
# Add an object behind all others; its key is the greatest, which the caller knows.
cdef Status tree_append(Arena* a, Tree* t, Ref ref) noexcept nogil
# Find an object by its key; False = there is none, and the cursor is where it would be.
cdef bint tree_find(const Arena* a, const Tree* t, const TreeKey* key, TreeCursor* c) noexcept nogil
# Take out the entry at a cursor, which is then no longer valid. The object stays.
cdef void tree_remove(Arena* a, Tree* t, TreeCursor* c) noexcept nogil
# Take out the entry of a key; returns its object, 0 = there was none.
cdef Ref tree_take(Arena* a, Tree* t, const TreeKey* key) noexcept nogil
# Take out up to `most` entries from a rank on, those of one leaf; `refs` has room for TREE_ROOM. Returns how many.
cdef uint32_t tree_take_run(Arena* a, Tree* t, uint64_t rank, uint64_t most, Ref* refs) noexcept nogil
# Move the entry at a cursor to where `key`, which the object is to have, belongs; the caller changes the object
# after that. The cursor is then no longer valid. NO_MEMORY: nothing has changed (`old` is the present key).
cdef Status tree_rekey(Arena* a, Tree* t, TreeCursor* c, const TreeKey* old, const TreeKey* key) noexcept nogil

# Go to the first object that is not less than a key (not in front of it).
cdef void tree_seek(const Arena* a, const Tree* t, const TreeKey* key, TreeCursor* c) noexcept nogil
# Go to a rank, 0 = first; past the end if there are fewer objects.
cdef void tree_seek_rank(const Arena* a, const Tree* t, uint64_t rank, TreeCursor* c) noexcept nogil
# Number of objects in front of a key.
cdef uint64_t tree_rank(const Arena* a, const Tree* t, const TreeKey* key) noexcept nogil
# Step; c.ref is 0 behind the last object. Stepping back from the first one is the caller's mistake.
cdef void tree_climb(const Arena* a, TreeCursor* c) noexcept nogil
cdef void tree_previous(const Arena* a, TreeCursor* c) noexcept nogil

cdef inline Leaf* leaf_entries(TreeNode* node) noexcept nogil:
    return <Leaf*>(<char*>node + sizeof(TreeNode))

cdef inline Branch* node_branches(TreeNode* node) noexcept nogil:
    return <Branch*>(<char*>node + sizeof(TreeNode))

cdef inline void tree_next(const Arena* a, TreeCursor* c) noexcept nogil:
    """Step to the next object; the common case stays in the leaf."""
    c.rank += 1
    c.at[0] += 1
    if c.at[0] < c.nodes[0].count:
        c.ref = leaf_entries(c.nodes[0])[c.at[0]].ref
    else:
        tree_climb(a, c)

# For the tests and undocheck: whether all is consistent (0 = yes); the arena bytes of a node's content.
cdef int tree_check(const Arena* a, const Tree* t) noexcept nogil
cdef size_t tree_node_bytes(const TreeNode* node) noexcept nogil
