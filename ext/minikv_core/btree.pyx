"""The tree's slow paths: searching, inserting, splitting, merging. See btree.pxd.

Every change of structure (a node gives entries to its neighbour, splits, grows, merges, goes) leaves a
whole tree behind. An insert that finds its leaf full makes one such change and searches again, so that
a refused allocation never leaves anything half done.
"""

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memmove, memset
from minikv_core.arena cimport (
    Arena, arena_alloc, arena_at, arena_check, arena_close, arena_free, arena_open, arena_size, arena_used, undo_note,
)
from minikv_core.member cimport SCORED_KEY, member_bytes, member_key, member_score, member_set_score, member_write
from minikv_core.memory cimport load_u64, prefetch, store_u64, unlikely
from minikv_core.types cimport NO_MEMORY, OK, Ref, Status

cdef enum:
    LEAF_LINES = 8              # cache lines of a full-sized leaf
    LEAST_ROOM = 7              # entries of the first leaf: 64 bytes; each doubling is a size class again
    GIVE_MAX = TREE_ROOM * 7 // 8   # a neighbour with more takes nothing
    LOW = TREE_ROOM // 2        # a node with no more looks for a neighbour to merge with
    MERGE_MAX = TREE_ROOM * 3 // 4  # entries that two may have together to become one

if sizeof(Leaf) != 8 or sizeof(Branch) != 16 or sizeof(TreeNode) != 8:
    raise ImportError("btree: unexpected struct layout")

# ---------------------------------------------------------------- nodes

cdef inline uint32_t stride(const TreeNode* node) noexcept nogil:
    """Bytes of an entry or a branch."""
    return sizeof(Branch) if node.level else sizeof(Leaf)


cdef inline char* place(TreeNode* node, uint32_t i) noexcept nogil:
    return <char*>node + sizeof(TreeNode) + i * stride(node)


cdef inline TreeNode* node_at(const Arena* a, Ref ref) noexcept nogil:
    return <TreeNode*>arena_at(a, ref)


cdef inline TreeNode* child(const Arena* a, TreeNode* node, uint32_t i) noexcept nogil:
    return node_at(a, node_branches(node)[i].child)


cdef size_t tree_node_bytes(const TreeNode* node) noexcept nogil:
    return sizeof(TreeNode) + <size_t>node.count * stride(node)


cdef inline void note_span(Arena* a, TreeNode* node, uint32_t i, uint32_t end) noexcept nogil:
    """Say that a node's header and the places [i, end) are about to change.

    Also places behind its entries: they may have been in use when the section began.
    """
    if unlikely(a.undo != NULL):
        undo_note(a, node, sizeof(TreeNode))
        undo_note(a, place(node, i), <size_t>(end - i) * stride(node))


cdef Ref new_node(Arena* a, Tree* t, uint8_t level, uint32_t room) noexcept nogil:
    cdef Ref ref = arena_alloc(a, sizeof(TreeNode) + room * <size_t>(sizeof(Branch) if level else sizeof(Leaf)))
    cdef TreeNode* node
    if ref:
        node = node_at(a, ref)
        memset(node, 0, sizeof(TreeNode))
        node.level = level
        node.room = <uint16_t>room
        undo_note(a, t, sizeof(Tree))
        t.bytes += arena_size(a, ref)
    return ref


cdef void free_node(Arena* a, Tree* t, Ref ref) noexcept nogil:
    undo_note(a, t, sizeof(Tree))
    t.bytes -= arena_size(a, ref)
    arena_free(a, ref)


cdef uint64_t entries_in(TreeNode* node, uint32_t first, uint32_t n) noexcept nogil:
    """Entries of leaves in or below n entries or branches of a node."""
    cdef uint64_t sum = 0
    cdef uint32_t i
    if node.level == 0:
        return n
    for i in range(first, first + n):
        sum += node_branches(node)[i].count
    return sum

# ---------------------------------------------------------------- searching

cdef int compare_object(uint8_t order, const TreeKey* k, char* object) noexcept nogil:
    """Below 0 if a key stands in front of an object, above 0 if behind it."""
    cdef uint64_t high
    cdef uint32_t len, n
    cdef char* bytes
    cdef int c = 0
    high = load_u64(object) if order == TREE_ID else score_image(member_score(object))
    if k.high != high:
        return -1 if k.high < high else 1
    if order == TREE_ID:
        high = load_u64(object + 8)
        if k.low != high:
            return -1 if k.low < high else 1
        return k.side
    if k.side != SIDE_EXACT:
        return k.side
    bytes = member_key(object, SCORED_KEY, &len)
    n = min(k.len, len)
    if n:
        c = memcmp(k.ptr, bytes, n)
    return c if c else <int>(k.len > len) - <int>(k.len < len)


cdef inline int compare(const Arena* a, const Tree* t, const TreeKey* k, const Leaf* entry) noexcept nogil:
    if k.prefix != entry.prefix:
        return -1 if k.prefix < entry.prefix else 1
    return compare_object(t.order, k, arena_at(a, entry.ref))


cdef inline uint32_t branch_for(const Arena* a, const Tree* t, const TreeKey* k, TreeNode* node) noexcept nogil:
    """The last branch that does not begin behind a key; the first if all do."""
    cdef Branch* branches = node_branches(node)
    cdef uint32_t low = 1, high = node.count, middle
    while low < high:
        middle = (low + high) >> 1
        if compare(a, t, k, &branches[middle].first) >= 0:
            low = middle + 1
        else:
            high = middle
    return low - 1


cdef inline uint32_t entry_for(const Arena* a, const Tree* t, const TreeKey* k, TreeNode* leaf) noexcept nogil:
    """The first entry that is not in front of a key; their number if all are."""
    cdef Leaf* entries = leaf_entries(leaf)
    cdef uint32_t low = 0, high = leaf.count, middle
    while low < high:
        middle = (low + high) >> 1
        if compare(a, t, k, &entries[middle]) > 0:
            low = middle + 1
        else:
            high = middle
    return low


cdef inline void ask_for(const TreeNode* leaf) noexcept nogil:
    """Prefetch a full-sized leaf: a search would wait for one of its lines after the other."""
    cdef uint32_t i
    for i in range(<uint32_t>LEAF_LINES):
        prefetch(<const char*>leaf + 64 * i)


cdef void descend(const Arena* a, const Tree* t, const TreeKey* k, TreeCursor* c) noexcept nogil:
    """Find the leaf where a key belongs and its place there, perhaps behind the last entry; no rank."""
    cdef TreeNode* node
    cdef uint32_t level = t.levels
    c.levels = level
    if level == 0:
        return
    node = node_at(a, t.top)
    while True:
        level -= 1
        c.nodes[level] = node
        if level == 0:
            break
        c.at[level] = branch_for(a, t, k, node)
        node = child(a, node, c.at[level])
        if level == 1:
            ask_for(node)
    c.at[0] = entry_for(a, t, k, node)


cdef void descend_end(const Arena* a, const Tree* t, TreeCursor* c) noexcept nogil:
    """Go behind the last entry; no rank."""
    cdef TreeNode* node
    cdef uint32_t level = t.levels
    c.levels = level
    if level == 0:
        return
    node = node_at(a, t.top)
    while True:
        level -= 1
        c.nodes[level] = node
        c.at[level] = node.count
        if level == 0:
            return
        c.at[level] -= 1
        node = child(a, node, c.at[level])


cdef uint64_t rank_of(const TreeCursor* c) noexcept nogil:
    """Entries in front of a place."""
    cdef uint64_t rank = c.at[0]
    cdef uint32_t level
    for level in range(1, c.levels):
        rank += entries_in(c.nodes[level], 0, c.at[level])
    return rank


cdef inline void arrive(const Arena* a, TreeCursor* c) noexcept nogil:
    """Set the object at a place; behind a leaf's last entry, go on to the next leaf."""
    if c.levels == 0:
        c.ref = 0
    elif c.at[0] < c.nodes[0].count:
        c.ref = leaf_entries(c.nodes[0])[c.at[0]].ref
    else:
        tree_climb(a, c)


cdef bint tree_find(const Arena* a, const Tree* t, const TreeKey* key, TreeCursor* c) noexcept nogil:
    descend(a, t, key, c)
    c.rank = 0
    c.ref = 0
    if c.levels == 0 or c.at[0] == c.nodes[0].count:
        return False        # an entry that is equal would not be in the next leaf: that begins behind the key
    c.ref = leaf_entries(c.nodes[0])[c.at[0]].ref
    return compare(a, t, key, &leaf_entries(c.nodes[0])[c.at[0]]) == 0


cdef void tree_seek(const Arena* a, const Tree* t, const TreeKey* key, TreeCursor* c) noexcept nogil:
    descend(a, t, key, c)
    c.rank = rank_of(c) if c.levels else 0
    arrive(a, c)


cdef uint64_t tree_rank(const Arena* a, const Tree* t, const TreeKey* key) noexcept nogil:
    cdef TreeCursor c
    descend(a, t, key, &c)
    return rank_of(&c) if c.levels else 0


cdef void tree_seek_rank(const Arena* a, const Tree* t, uint64_t rank, TreeCursor* c) noexcept nogil:
    cdef TreeNode* node
    cdef Branch* branches
    cdef uint32_t level = t.levels, i
    c.rank = min(rank, t.count)
    if rank >= t.count:
        descend_end(a, t, c)
        c.ref = 0
        return
    c.levels = level
    node = node_at(a, t.top)
    while True:
        level -= 1
        c.nodes[level] = node
        if level == 0:
            break
        branches = node_branches(node)
        i = 0
        while rank >= branches[i].count:
            rank -= branches[i].count
            i += 1
        c.at[level] = i
        node = node_at(a, branches[i].child)
    c.at[0] = <uint32_t>rank
    c.ref = leaf_entries(node)[rank].ref


cdef void tree_climb(const Arena* a, TreeCursor* c) noexcept nogil:
    """From behind a leaf's last entry go to the next leaf; at the end, stay and clear c.ref."""
    cdef uint32_t level = 1
    while level < c.levels and c.at[level] + 1 == c.nodes[level].count:
        level += 1
    if level >= c.levels:
        c.ref = 0
        return
    c.at[level] += 1
    while level:
        c.nodes[level - 1] = child(a, c.nodes[level], c.at[level])
        level -= 1
        c.at[level] = 0
    c.ref = leaf_entries(c.nodes[0])[0].ref


cdef void tree_previous(const Arena* a, TreeCursor* c) noexcept nogil:
    cdef uint32_t level = 0
    c.rank -= 1
    while c.at[level] == 0:
        level += 1
    c.at[level] -= 1
    while level:
        c.nodes[level - 1] = child(a, c.nodes[level], c.at[level])
        level -= 1
        c.at[level] = c.nodes[level].count - 1
    c.ref = leaf_entries(c.nodes[0])[c.at[0]].ref

# ---------------------------------------------------------------- keeping the path right

cdef inline void add_counts(Arena* a, const TreeCursor* c, uint32_t level, uint32_t n) noexcept nogil:
    """n more entries lie below the branches of a path above a level; modulo 2**32, so that n may be negative."""
    cdef Branch* b
    while level + 1 < c.levels:
        level += 1
        b = &node_branches(c.nodes[level])[c.at[level]]
        undo_note(a, b, sizeof(Branch))
        b.count += n


cdef void first_changed(Arena* a, const TreeCursor* c, uint32_t level) noexcept nogil:
    """The node of a path begins with another entry: say so above it."""
    cdef Leaf first = (<Leaf*>place(c.nodes[level], 0))[0]
    cdef Branch* b
    while level + 1 < c.levels:
        level += 1
        b = &node_branches(c.nodes[level])[c.at[level]]
        undo_note(a, b, sizeof(Branch))
        b.first = first
        if c.at[level]:
            return


cdef void move_entries(Arena* a, TreeNode* parent, uint32_t i, uint32_t n, bint leftward) noexcept nogil:
    """Move n entries between a node's children i and i + 1: the right one's first, or the left one's last.

    The right one may be left empty: then it is to be dropped.
    """
    cdef TreeNode* left = child(a, parent, i)
    cdef TreeNode* right = child(a, parent, i + 1)
    cdef Branch* b = &node_branches(parent)[i]
    cdef size_t bytes = <size_t>n * stride(left)
    cdef uint32_t moved
    undo_note(a, b, 2 * sizeof(Branch))
    note_span(a, left, left.count, left.count + n if leftward else left.count)
    note_span(a, right, 0, right.count if leftward else right.count + n)
    if leftward:
        moved = <uint32_t>entries_in(right, 0, n)
        memcpy(place(left, left.count), place(right, 0), bytes)
        memmove(place(right, 0), place(right, n), <size_t>(right.count - n) * stride(right))
        left.count = <uint16_t>(left.count + n)
        right.count = <uint16_t>(right.count - n)
        b[0].count += moved
        b[1].count -= moved
    else:
        moved = <uint32_t>entries_in(left, left.count - n, n)
        memmove(place(right, n), place(right, 0), <size_t>right.count * stride(right))
        memcpy(place(right, 0), place(left, left.count - n), bytes)
        left.count = <uint16_t>(left.count - n)
        right.count = <uint16_t>(right.count + n)
        b[0].count -= moved
        b[1].count += moved
    b[1].first = (<Leaf*>place(right, 0))[0]

# ---------------------------------------------------------------- making room

cdef int edge(const TreeCursor* c) noexcept nogil:
    """1 if a place is behind all entries of the tree, -1 if in front of them, else 0."""
    cdef uint32_t level
    cdef bint front = c.at[0] == 0, behind = c.at[0] == c.nodes[0].count
    for level in range(1, c.levels):
        front = front and c.at[level] == 0
        behind = behind and c.at[level] + 1 == c.nodes[level].count
    return 1 if behind else -1 if front else 0


cdef bint give(Arena* a, const TreeCursor* c, uint32_t level) noexcept nogil:
    """Even a full node out with a neighbour that has room enough; False = there is none."""
    cdef TreeNode* parent = c.nodes[level + 1]
    cdef uint32_t i = c.at[level + 1], left = TREE_ROOM, right = TREE_ROOM
    if i > 0:
        left = child(a, parent, i - 1).count
    if i + 1 < parent.count:
        right = child(a, parent, i + 1).count
    if min(left, right) > GIVE_MAX:
        return False
    if left < right:
        move_entries(a, parent, i - 1, (TREE_ROOM - left) // 2, True)
    else:
        move_entries(a, parent, i, (TREE_ROOM - right) // 2, False)
    return True


cdef Status split(Arena* a, Tree* t, TreeCursor* c, uint32_t level, int side) noexcept nogil:
    """Split a full node in two, below a parent with room or as the top.

    side    edge() of the place that needs room
    """
    cdef TreeNode* left = c.nodes[level]
    cdef Ref ref = new_node(a, t, <uint8_t>level, TREE_ROOM), top
    cdef TreeNode* right
    cdef TreeNode* parent
    cdef Branch* b
    cdef uint32_t keep = left.count // 2, n
    if ref == 0:
        return NO_MEMORY
    if level + 1 == c.levels:
        top = new_node(a, t, <uint8_t>(level + 1), TREE_ROOM) if c.levels < TREE_DEPTH else 0
        if top == 0:
            free_node(a, t, ref)
            return NO_MEMORY
        parent = node_at(a, top)
        parent.count = 1
        b = node_branches(parent)
        b.first = (<Leaf*>place(left, 0))[0]
        b.child = t.top
        b.count = <uint32_t>t.count
        t.top = top         # new_node has noted the root
        t.levels += 1
        c.nodes[level + 1] = parent
        c.at[level + 1] = 0
        c.levels += 1
    if side:
        keep = left.count - 1 if side > 0 else 1
    right = node_at(a, ref)
    n = left.count - keep
    memcpy(place(right, 0), place(left, keep), <size_t>n * stride(left))
    right.count = <uint16_t>n
    undo_note(a, left, sizeof(TreeNode))
    left.count = <uint16_t>keep
    parent = c.nodes[level + 1]
    note_span(a, parent, c.at[level + 1], parent.count + 1)
    b = &node_branches(parent)[c.at[level + 1]]
    memmove(b + 2, b + 1, (parent.count - c.at[level + 1] - 1) * sizeof(Branch))
    parent.count += 1
    b[1].first = (<Leaf*>place(right, 0))[0]
    b[1].child = ref
    b[1].count = <uint32_t>entries_in(right, 0, n)
    b[0].count -= b[1].count
    return OK


cdef Status grow_leaf(Arena* a, Tree* t, uint32_t room) noexcept nogil:
    """Give a tree of one leaf, or of none, a larger one."""
    cdef Ref ref = new_node(a, t, 0, room)
    cdef TreeNode* old
    cdef TreeNode* node
    if ref == 0:
        return NO_MEMORY
    if t.top:
        old = node_at(a, t.top)
        node = node_at(a, ref)
        memcpy(place(node, 0), place(old, 0), old.count * sizeof(Leaf))
        node.count = old.count
        free_node(a, t, t.top)
    t.top = ref             # the root is noted
    t.levels = 1
    return OK


cdef Status make_room(Arena* a, Tree* t, TreeCursor* c) noexcept nogil:
    """One step towards room in the full leaf of a path, which is then no longer valid."""
    cdef uint32_t level = 0
    cdef int side
    if c.levels == 0:
        return grow_leaf(a, t, LEAST_ROOM)
    if c.nodes[0].room < TREE_ROOM:
        return grow_leaf(a, t, c.nodes[0].room * 2 + 1)
    side = edge(c)
    while level + 1 < c.levels:
        if side == 0 and give(a, c, level):
            return OK
        if c.nodes[level + 1].count < TREE_ROOM:
            break
        level += 1
    return split(a, t, c, level, side)

# ---------------------------------------------------------------- inserting

cdef void put(Arena* a, Tree* t, const TreeCursor* c, uint32_t prefix, Ref ref) noexcept nogil:
    """Add an entry at a place of a leaf with room."""
    cdef TreeNode* leaf = c.nodes[0]
    cdef uint32_t at = c.at[0]
    cdef Leaf* entries = leaf_entries(leaf)
    note_span(a, leaf, at, leaf.count + 1)
    memmove(entries + at + 1, entries + at, (leaf.count - at) * sizeof(Leaf))
    entries[at].prefix = prefix
    entries[at].ref = ref
    leaf.count += 1
    undo_note(a, t, sizeof(Tree))
    t.count += 1
    add_counts(a, c, 0, 1)
    if at == 0:
        first_changed(a, c, 0)


cdef Status tree_insert(Arena* a, Tree* t, const TreeKey* key, Ref ref) noexcept nogil:
    cdef TreeCursor c
    while True:
        descend(a, t, key, &c)
        if c.levels and c.nodes[0].count < c.nodes[0].room:
            put(a, t, &c, key.prefix, ref)
            return OK
        if make_room(a, t, &c) != OK:
            return NO_MEMORY


cdef Status tree_append(Arena* a, Tree* t, Ref ref) noexcept nogil:
    cdef TreeCursor c
    cdef char* object = arena_at(a, ref)
    cdef uint32_t prefix
    if t.order == TREE_ID:
        prefix = id_prefix(load_u64(object))
    else:
        prefix = <uint32_t>(score_image(member_score(object)) >> 32)
    while True:
        descend_end(a, t, &c)
        if c.levels and c.nodes[0].count < c.nodes[0].room:
            put(a, t, &c, prefix, ref)
            return OK
        if make_room(a, t, &c) != OK:
            return NO_MEMORY

# ---------------------------------------------------------------- removing

cdef void drop_branch(Arena* a, Tree* t, TreeCursor* c, uint32_t level, uint32_t i) noexcept nogil:
    """Free the empty child i of a path's node, and what that leaves empty or low above."""
    cdef TreeNode* node = c.nodes[level]
    free_node(a, t, node_branches(node)[i].child)
    note_span(a, node, i, node.count)
    memmove(place(node, i), place(node, i + 1), (node.count - i - 1) * sizeof(Branch))
    node.count -= 1
    if node.count == 0 and level + 1 < c.levels:
        drop_branch(a, t, c, level + 1, c.at[level + 1])
        return
    if node.count == 0:
        free_node(a, t, t.top)
        t.top = 0
        t.levels = 0
        return
    if i == 0:
        first_changed(a, c, level)
    settle(a, t, c, level)


cdef void settle(Arena* a, Tree* t, TreeCursor* c, uint32_t level) noexcept nogil:
    """Merge a node that has become low with a neighbour, or take away a top of one branch."""
    cdef TreeNode* node = c.nodes[level]
    cdef TreeNode* parent
    cdef uint32_t i
    cdef Ref ref
    if level + 1 == c.levels:
        while node.level and node.count == 1:
            ref = t.top
            undo_note(a, t, sizeof(Tree))
            t.top = node_branches(node).child
            t.levels -= 1
            free_node(a, t, ref)
            node = node_at(a, t.top)
        return
    if node.count > LOW:
        return
    parent = c.nodes[level + 1]
    i = c.at[level + 1]
    if i + 1 < parent.count and child(a, parent, i + 1).count + node.count <= MERGE_MAX:
        pass
    elif i > 0 and child(a, parent, i - 1).count + node.count <= MERGE_MAX:
        i -= 1
    else:
        return
    move_entries(a, parent, i, child(a, parent, i + 1).count, True)
    drop_branch(a, t, c, level + 1, i + 1)


cdef bint take_out(Arena* a, Tree* t, TreeCursor* c, uint32_t n) noexcept nogil:
    """Take out n entries of a leaf from a place on; whether nodes have come or gone."""
    cdef TreeNode* leaf = c.nodes[0]
    cdef uint32_t at = c.at[0]
    note_span(a, leaf, at, leaf.count)
    memmove(place(leaf, at), place(leaf, at + n), (leaf.count - at - n) * sizeof(Leaf))
    leaf.count = <uint16_t>(leaf.count - n)
    undo_note(a, t, sizeof(Tree))
    t.count -= n
    add_counts(a, c, 0, 0 - n)
    if leaf.count == 0:
        if c.levels == 1:
            free_node(a, t, t.top)
            t.top = 0
            t.levels = 0
        else:
            drop_branch(a, t, c, 1, c.at[1])
        return True
    if at == 0:
        first_changed(a, c, 0)
    if leaf.count > LOW:
        return False
    settle(a, t, c, 0)
    return True


cdef void tree_remove(Arena* a, Tree* t, TreeCursor* c) noexcept nogil:
    take_out(a, t, c, 1)


cdef Ref tree_take(Arena* a, Tree* t, const TreeKey* key) noexcept nogil:
    cdef TreeCursor c
    if not tree_find(a, t, key, &c):
        return 0
    take_out(a, t, &c, 1)
    return c.ref


cdef uint32_t tree_take_run(Arena* a, Tree* t, uint64_t rank, uint64_t most, Ref* refs) noexcept nogil:
    cdef TreeCursor c
    cdef uint32_t n, i
    tree_seek_rank(a, t, rank, &c)
    if c.ref == 0 or most == 0:
        return 0
    n = <uint32_t>min(most, <uint64_t>(c.nodes[0].count - c.at[0]))
    for i in range(n):
        refs[i] = leaf_entries(c.nodes[0])[c.at[0] + i].ref
    take_out(a, t, &c, n)
    return n


cdef void free_below(Arena* a, Tree* t, Ref ref) noexcept nogil:
    cdef TreeNode* node = node_at(a, ref)
    cdef uint32_t i
    if node.level:
        for i in range(node.count):
            free_below(a, t, node_branches(node)[i].child)
    free_node(a, t, ref)


cdef void tree_clear(Arena* a, Tree* t) noexcept nogil:
    if t.top:
        free_below(a, t, t.top)
        tree_init(t, t.order)       # the root is noted


cdef void tree_init(Tree* t, uint8_t order) noexcept nogil:
    memset(t, 0, sizeof(Tree))
    t.order = order

# ---------------------------------------------------------------- another key

cdef void turn(Arena* a, const TreeCursor* c, uint32_t to, uint32_t prefix) noexcept nogil:
    """Move an entry to the place `to` of its leaf, counted with the entry where it was."""
    cdef Leaf* entries = leaf_entries(c.nodes[0])
    cdef uint32_t at = c.at[0]
    cdef Leaf moved = [prefix, entries[at].ref]
    note_span(a, c.nodes[0], min(at, to), max(at + 1, to))
    if to > at:
        to -= 1
        memmove(entries + at, entries + at + 1, (to - at) * sizeof(Leaf))
    else:
        memmove(entries + to + 1, entries + to, (at - to) * sizeof(Leaf))
    entries[to] = moved
    if at == 0 or to == 0:
        first_changed(a, c, 0)


cdef Status tree_rekey(Arena* a, Tree* t, TreeCursor* c, const TreeKey* old, const TreeKey* key) noexcept nogil:
    cdef TreeCursor there
    cdef Ref ref = leaf_entries(c.nodes[0])[c.at[0]].ref
    while True:
        descend(a, t, key, &there)
        if there.nodes[0] == c.nodes[0]:
            turn(a, c, there.at[0], key.prefix)
            return OK
        if there.nodes[0].count < there.nodes[0].room:
            break
        if make_room(a, t, &there) != OK:
            return NO_MEMORY
        tree_find(a, t, old, c)
    if take_out(a, t, c, 1):
        descend(a, t, key, &there)      # its leaf still has room: merged ones are never full
    put(a, t, &there, key.prefix, ref)
    return OK

# ---------------------------------------------------------------- for the tests

cdef int check_below(const Arena* a, const Tree* t, Ref ref, uint32_t level, uint64_t* count, uint64_t* bytes,
                     Leaf* last) noexcept nogil:
    """last    the entry in front, all zero at the start; then the last one below"""
    cdef TreeNode* node = node_at(a, ref)
    cdef uint64_t below
    cdef uint32_t i
    cdef int code
    cdef TreeKey k
    cdef char* object
    cdef Branch* b
    cdef Leaf* entry
    bytes[0] += arena_size(a, ref)
    if node.level != level:
        return 1
    if node.count == 0 or node.count > node.room or node.room > TREE_ROOM:
        return 2
    if node.room != TREE_ROOM and t.levels != 1:
        return 3
    if level == 0:
        for i in range(node.count):
            entry = &leaf_entries(node)[i]
            object = arena_at(a, entry.ref)
            if t.order == TREE_ID:
                key_of_id(&k, load_u64(object), load_u64(object + 8))
            else:
                k.ptr = member_key(object, SCORED_KEY, &k.len)
                key_of_member(&k, member_score(object), k.ptr, k.len)
            if k.prefix != entry.prefix:
                return 4
            if last.ref and compare(a, t, &k, last) <= 0:
                return 5
            last[0] = entry[0]
        count[0] += node.count
        return 0
    for i in range(node.count):
        b = &node_branches(node)[i]
        entry = <Leaf*>place(node_at(a, b.child), 0)
        if entry.ref != b.first.ref or entry.prefix != b.first.prefix:
            return 6
        below = count[0]
        code = check_below(a, t, b.child, level - 1, count, bytes, last)
        if code:
            return code
        if count[0] - below != b.count:
            return 7
    return 0


cdef int tree_check(const Arena* a, const Tree* t) noexcept nogil:
    cdef uint64_t count = 0, bytes = 0
    cdef Leaf last = [0, 0]
    cdef int code
    if t.top == 0:
        return 0 if t.levels == 0 and t.count == 0 and t.bytes == 0 else 8
    code = check_below(a, t, t.top, t.levels - 1, &count, &bytes, &last)
    if code:
        return code
    if node_at(a, t.top).level and node_at(a, t.top).count == 1:
        return 9
    if count != t.count or bytes != t.bytes:
        return 10
    return 0


cdef class TreeHandle:
    """A tree over an arena of its own. Keys: (score, member) pairs, or (ms, seq) pairs with ids=True."""
    cdef Arena arena
    cdef Tree tree
    cdef bytes kept             # a key's bytes, while the key is in use

    def __cinit__(self, size_t reserve=1 << 30, bint ids=False):
        if arena_open(&self.arena, reserve, False) != OK:
            raise MemoryError
        tree_init(&self.tree, TREE_ID if ids else TREE_SCORED)

    def __dealloc__(self):
        arena_close(&self.arena)

    cdef void key_of(self, tuple pair, TreeKey* k):
        if self.tree.order == TREE_ID:
            key_of_id(k, pair[0], pair[1])
        else:
            self.kept = pair[1]
            key_of_member(k, pair[0], self.kept, <uint32_t>len(self.kept))

    cdef Ref new_object(self, tuple pair):
        cdef Ref ref
        cdef bytes member
        if self.tree.order == TREE_ID:
            ref = arena_alloc(&self.arena, 16)
            if ref:
                store_u64(arena_at(&self.arena, ref), pair[0])
                store_u64(arena_at(&self.arena, ref) + 8, pair[1])
            return ref
        member = pair[1]
        ref = arena_alloc(&self.arena, member_bytes(<uint32_t>len(member), SCORED_KEY))
        if ref:
            member_write(arena_at(&self.arena, ref), SCORED_KEY, member, <uint32_t>len(member))
            member_set_score(arena_at(&self.arena, ref), pair[0])
        return ref

    cdef tuple pair_at(self, Ref ref):
        cdef char* object = arena_at(&self.arena, ref)
        cdef uint32_t n
        cdef char* p
        if self.tree.order == TREE_ID:
            return load_u64(object), load_u64(object + 8)
        p = member_key(object, SCORED_KEY, &n)
        return member_score(object), p[:n]

    def insert(self, tuple pair, bint at_end=False):
        """Add a pair that is not there; False = no memory."""
        cdef TreeKey k
        cdef Ref ref = self.new_object(pair)
        cdef Status status
        if ref == 0:
            return False
        if at_end:
            status = tree_append(&self.arena, &self.tree, ref)
        else:
            self.key_of(pair, &k)
            status = tree_insert(&self.arena, &self.tree, &k, ref)
        if status != OK:
            arena_free(&self.arena, ref)
        return status == OK

    def remove(self, tuple pair):
        cdef TreeKey k
        cdef Ref ref
        self.key_of(pair, &k)
        ref = tree_take(&self.arena, &self.tree, &k)
        if ref:
            arena_free(&self.arena, ref)
        return ref != 0

    def rescore(self, tuple pair, double score):
        """Give a member another score; False = no memory."""
        cdef TreeKey old, new
        cdef TreeCursor c
        self.key_of(pair, &old)
        if not tree_find(&self.arena, &self.tree, &old, &c):
            raise KeyError(pair)
        new = old
        key_of_member(&new, score, old.ptr, old.len)
        ref = c.ref
        if tree_rekey(&self.arena, &self.tree, &c, &old, &new) != OK:
            return False
        member_set_score(arena_at(&self.arena, ref), score)
        return True

    def take_run(self, uint64_t rank, uint64_t most):
        """Remove up to `most` entries of one leaf; returns them."""
        cdef Ref refs[TREE_ROOM]
        cdef uint32_t n = tree_take_run(&self.arena, &self.tree, rank, most, refs), i
        pairs = [self.pair_at(refs[i]) for i in range(n)]
        for i in range(n):
            arena_free(&self.arena, refs[i])
        return pairs

    def clear(self):
        cdef TreeCursor c
        tree_seek_rank(&self.arena, &self.tree, 0, &c)
        while c.ref:
            arena_free(&self.arena, c.ref)
            tree_next(&self.arena, &c)
        tree_clear(&self.arena, &self.tree)

    def rank(self, tuple pair):
        cdef TreeKey k
        self.key_of(pair, &k)
        return tree_rank(&self.arena, &self.tree, &k)

    def score_rank(self, double score, bint behind):
        cdef TreeKey k
        key_of_score(&k, score, behind)
        return tree_rank(&self.arena, &self.tree, &k)

    def __contains__(self, tuple pair):
        cdef TreeKey k
        cdef TreeCursor c
        self.key_of(pair, &k)
        return tree_find(&self.arena, &self.tree, &k, &c)

    def __len__(self):
        return self.tree.count

    def walk(self, uint64_t rank=0, uint64_t most=1 << 62):
        """Pairs from a rank on."""
        cdef TreeCursor c
        pairs = []
        tree_seek_rank(&self.arena, &self.tree, rank, &c)
        while c.ref and most:
            assert c.rank == rank + <uint64_t>len(pairs)
            pairs.append(self.pair_at(c.ref))
            tree_next(&self.arena, &c)
            most -= 1
        return pairs

    def walk_back(self, uint64_t rank):
        """Pairs in front of a rank, backwards."""
        cdef TreeCursor c
        pairs = []
        tree_seek_rank(&self.arena, &self.tree, rank, &c)
        while c.rank:
            tree_previous(&self.arena, &c)
            pairs.append(self.pair_at(c.ref))
        return pairs

    def seek(self, tuple pair):
        """(rank, pair) of the first one that is not less; pair None = there is none."""
        cdef TreeKey k
        cdef TreeCursor c
        self.key_of(pair, &k)
        tree_seek(&self.arena, &self.tree, &k, &c)
        return c.rank, self.pair_at(c.ref) if c.ref else None

    def check(self):
        return tree_check(&self.arena, &self.tree) or 100 * arena_check(&self.arena)

    @property
    def bytes(self):
        return self.tree.bytes

    @property
    def levels(self):
        return self.tree.levels

    @property
    def used(self):
        return arena_used(&self.arena)
