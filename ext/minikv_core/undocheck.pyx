"""A check of the undo log, for the tests: is every byte that matters as it was before the changes?

What matters is the arena's header and chunk table, the links of its free objects, and of each object
the bytes in use, but for an entry's access clock. The objects are found by walking over the store,
which shows at the same time that none has been lost.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy
from minikv_core.arena cimport (
    CHUNK, CHUNK_SLAB, PAGE, Arena, ArenaHeader, Chunk, arena_at, arena_check, arena_free_now, arena_size,
    later_frees,
)
from minikv_core.btree cimport (
    TreeCursor, TreeNode, node_branches, tree_check, tree_next, tree_node_bytes, tree_seek_rank,
)
from minikv_core.engine cimport Database, Engine, Root
from minikv_core.entry cimport (
    BLOCK_HEADER, Block, Entry, EntryView, entry_bytes, entry_expiry, entry_root, entry_view, fields_due,
)
from minikv_core.handle cimport EngineHandle
from minikv_core.lazyfree cimport FreeNode
from minikv_core.listblocks cimport BlockHead, BlockRow, ListRoot, block_head, block_row, element_next
from minikv_core.member cimport HASH_KEY, SCORED_KEY, Field, field_bytes, field_view, member_bytes, member_key
from minikv_core.memory cimport ctz, load_u32
from minikv_core.stream cimport Stream, StreamBlock, StreamID, StreamWalk, stream_next, stream_rows, stream_seek
from minikv_core.stream_group cimport Consumer, Group, Pending, consumer_at, group_at, name_ref, pending_at
from minikv_core.t_hash cimport Small, hash_table, small_due, small_hash
from minikv_core.t_zset cimport Zset
from minikv_core.table cimport ALL_SLOTS, BUCKETS, Bucket, Segment, Table, match_tags, table_check, table_next_segment
from minikv_core.types cimport FORM_BLOCK, FORM_LARGE, FORM_PACKED_TTL, HASH, LIST, OK, Ref, SET, STREAM, ZSET
from minikv_core.undo cimport undo_commit, undo_open, undo_rollback

cdef enum:
    CLOCK = 1               # the access clock's place in an entry
    CLOCK_END = 4


cdef class UndoCheck:
    """Gives an engine's arena an undo log, and compares the arena with what it was."""
    cdef EngineHandle handle
    cdef Engine* engine
    cdef Arena* arena
    cdef char* before           # copy of the arena's used part
    cdef dict objects           # of the copy: Ref -> (bytes in use, is an entry)

    def __cinit__(self, EngineHandle handle, size_t reserve=1 << 30):
        self.handle = handle
        self.engine = &handle.engine
        self.arena = &handle.engine.arena
        if self.arena.undo == NULL and undo_open(self.arena, reserve) != OK:
            raise MemoryError("the undo log's memory is refused")

    def __dealloc__(self):
        free(self.before)

    def commit(self):
        undo_commit(self.arena)

    def begin_commit(self):
        """Do all of a commit but its last step."""
        cdef Ref* end = later_frees(self.arena.undo)
        cdef uint64_t i
        for i in range(self.arena.undo.frees):
            arena_free_now(self.arena, (end - 1 - i)[0])

    def rollback(self):
        undo_rollback(self.arena)

    @property
    def used(self):
        """Bytes of records."""
        return self.arena.undo.used

    @property
    def frees(self):
        """Objects that are to be freed at the commit."""
        return self.arena.undo.frees

    @property
    def room(self):
        return self.arena.undo.room

    @room.setter
    def room(self, uint64_t n):
        """Let the log be full from so many bytes on: the process aborts when it would need more."""
        self.arena.undo.room = n

    def check(self):
        """Whether arena and tables are consistent and nothing is lost; between sections only."""
        cdef uint32_t i
        assert arena_check(self.arena) == 0, f"arena_check: {arena_check(self.arena)}"
        for i in range(self.engine.database_count):
            assert table_check(self.arena, &self.engine.databases[i].keys) == 0, f"database {i}"
        assert table_check(self.arena, &self.engine.root.watches) == 0, "watches"
        self.walk()

    def snapshot(self):
        """Keep what the arena holds now; between sections only."""
        cdef size_t n = <size_t>self.arena.head.high * CHUNK
        self.check()
        self.objects = self.walk()
        free(self.before)
        self.before = <char*>malloc(n)
        if self.before == NULL:
            raise MemoryError
        memcpy(self.before, self.arena.base, n)

    def compare(self):
        """Raise AssertionError at the first byte that is not as it was at the snapshot."""
        cdef uint32_t index
        cdef Chunk* c
        cdef Ref ref
        self.same(0, (<ArenaHeader*>self.before).first_chunk * <size_t>CHUNK, "header")
        index = self.arena.head.first_chunk
        while index < self.arena.head.high:
            c = &self.arena.chunks[index]
            if c.state == CHUNK_SLAB:
                self.same_links(index, c.free_head)
                index += 1
            else:                       # the rows inside of a run mean nothing
                index += c.length
        for ref, (length, is_entry) in self.objects.items():
            if is_entry:
                self.same(<size_t>ref << 3, CLOCK, "entry")
                self.same((<size_t>ref << 3) + CLOCK_END, length - CLOCK_END, "entry")
            else:
                self.same(<size_t>ref << 3, length, "object")
        self.check()

    cdef same(self, size_t offset, size_t n, what):
        cdef size_t i
        if memcmp(self.before + offset, self.arena.base + offset, n) == 0:
            return
        i = 0
        while self.before[offset + i] == self.arena.base[offset + i]:
            i += 1
        chunks = <char*>self.arena.chunks - self.arena.base
        at = offset + i
        if what == "header" and at >= <size_t>chunks:
            what = f"chunk row {(at - chunks) // sizeof(Chunk)}, byte {(at - chunks) % sizeof(Chunk)}"
        raise AssertionError(f"{what} at {offset}, byte {i} of {n}")

    cdef same_links(self, uint32_t index, uint32_t next):
        cdef size_t at
        while next:
            at = <size_t>index * CHUNK + (next - 1) * 8
            self.same(at, 4, "link")
            next = load_u32(self.arena.base + at)

    # ------------------------------------------------------------ which objects there are

    cdef dict walk(self):
        """All objects of the store; their sizes must add up to what the arena says."""
        cdef dict objects = {}
        cdef dict holders = {}
        cdef Root* root = self.engine.root
        cdef FreeNode* node
        cdef uint32_t i
        cdef uint64_t used = (sizeof(ArenaHeader) + PAGE - 1) // PAGE * PAGE
        cdef Ref ref = root.free_queue
        objects[self.arena.head.root] = (sizeof(Root), False)
        objects[root.database] = (root.databases * sizeof(Database), False)
        for i in range(root.databases):
            self.walk_table(&self.engine.databases[i].keys, 0, objects, holders)
        self.walk_table(&root.watches, 0, objects, holders)
        while ref:
            node = <FreeNode*>arena_at(self.arena, ref)
            add(objects, ref, sizeof(FreeNode), False)
            if node.root == 0:
                self.walk_table(&node.table, node.position, objects, holders)
            elif node.kind == LIST:
                self.walk_list(node.root, node.position, objects)
            elif node.kind == HASH or node.kind == SET:
                self.walk_members(node.root, node.position, objects)
            elif node.kind == STREAM:
                self.walk_stream(node.root, objects, False)
            elif node.kind == ZSET:
                self.walk_zset(node.root, objects, False)
            ref = node.next
        for ref, n in holders.items():
            assert (<Block*>arena_at(self.arena, ref)).holders == n, f"block {ref} has {n} holders"
        for ref in objects:
            used += arena_size(self.arena, ref)
        assert used == self.arena.head.used, f"{self.arena.head.used} bytes are in use, {used} are reached"
        return objects

    cdef walk_table(self, Table* t, uint64_t first, dict objects, dict holders):
        """first   position from which on the entries are there"""
        cdef uint64_t position = 0, start
        cdef uint32_t i, mask
        cdef Ref* directory = <Ref*>arena_at(self.arena, t.directory)
        cdef Segment* segment
        cdef Bucket* b
        if t.directory == 0:
            return
        add(objects, t.directory, sizeof(Ref) << t.depth, False)
        while True:
            start = position
            segment = table_next_segment(self.arena, t, &position)
            if segment == NULL:
                return
            add(objects, directory[start >> (32 - t.depth)], sizeof(Segment), False)
            if start < first:
                continue
            for i in range(<uint32_t>BUCKETS):
                b = &segment.buckets[i]
                mask = ~match_tags(b.tags, 0) & ALL_SLOTS
                while mask:
                    if t.key_at:
                        add(objects, b.refs[ctz(mask)], self.bytes_of_member(t, b.refs[ctz(mask)]), False)
                    else:
                        self.walk_entry(b.refs[ctz(mask)], objects, holders)
                    mask &= mask - 1

    cdef size_t bytes_of_member(self, Table* t, Ref ref):
        cdef char* m = arena_at(self.arena, ref)
        cdef uint32_t n
        cdef Field f
        if t.key_at == HASH_KEY:
            field_view(m, &f)
            return field_bytes(f.klen, f.vlen, f.expiry != NULL)
        member_key(m, t.key_at, &n)
        return member_bytes(n, t.key_at)

    cdef walk_members(self, Ref root, uint64_t first, dict objects):
        """Of a set or a hash.

        first    position from which on the members are there
        """
        cdef Table* t = <Table*>arena_at(self.arena, root)
        add(objects, root, sizeof(Table), False)
        self.walk_table(t, first, objects, {})
        assert first or table_check(self.arena, t) == 0

    cdef walk_entry(self, Ref ref, dict objects, dict holders):
        cdef Entry* entry = <Entry*>arena_at(self.arena, ref)
        cdef EntryView v
        cdef Small small
        cdef Ref block
        entry_view(entry, &v)
        add(objects, ref, entry_bytes(v.klen, v.vlen, entry_expiry(entry)), True)
        if v.form == FORM_BLOCK:
            block = load_u32(v.value)
            if block not in holders:
                add(objects, block, BLOCK_HEADER + load_u32(v.value + 4), False)
            holders[block] = holders.get(block, 0) + 1
        elif v.form == FORM_LARGE and (v.kind == HASH or v.kind == SET):
            self.walk_members(entry_root(entry), 0, objects)
            assert v.kind == SET or (hash_table(self.engine, entry).expiring > 0) == (fields_due(entry) >= 0)
        elif v.form == FORM_PACKED_TTL:
            small_hash(entry, &small)
            assert fields_due(entry) == small_due(&small)
        elif v.form == FORM_LARGE and v.kind == LIST:
            self.walk_list(entry_root(entry), 0, objects)
        elif v.form == FORM_LARGE and v.kind == STREAM:
            self.walk_stream(entry_root(entry), objects, True)
        elif v.form == FORM_LARGE and v.kind == ZSET:
            self.walk_zset(entry_root(entry), objects, True)

    cdef walk_list(self, Ref ref, uint64_t freed, dict objects):
        """freed    blocks that are gone"""
        cdef ListRoot* root = <ListRoot*>arena_at(self.arena, ref)
        cdef BlockRow* row
        cdef BlockHead* head
        cdef char* p
        cdef uint32_t i
        cdef uint64_t count = 0, elements
        add(objects, ref, sizeof(ListRoot), False)
        if root.directory:
            add(objects, root.directory, (root.first + root.blocks) * sizeof(BlockRow), False)
        for i in range(<uint32_t>freed, root.blocks):
            row = block_row(self.arena, root, i)
            head = block_head(self.arena, row)
            add(objects, row.block, head.end, False)
            elements = 0
            p = <char*>head + head.start
            while p < <char*>head + head.end:
                p = element_next(p)
                elements += 1
            assert p == <char*>head + head.end and elements == row.count
            count += elements
        assert freed or count == root.count

    cdef walk_tree(self, Ref node, uint32_t level, dict objects):
        """The nodes of a tree; its objects are told of elsewhere."""
        cdef TreeNode* n = <TreeNode*>arena_at(self.arena, node)
        cdef uint32_t i
        assert n.level == level
        add(objects, node, tree_node_bytes(n), False)
        if level:
            for i in range(n.count):
                self.walk_tree(node_branches(n)[i].child, level - 1, objects)

    cdef walk_zset(self, Ref root, dict objects, bint whole):
        """whole    it is not one that is being freed: its table has what its tree has"""
        cdef Zset* z = <Zset*>arena_at(self.arena, root)
        cdef Ref* directory = <Ref*>arena_at(self.arena, z.members.directory)
        cdef uint64_t position = 0, start = 0, members = 0
        cdef TreeCursor cursor
        cdef uint32_t n
        add(objects, root, sizeof(Zset), False)
        if z.members.directory:
            add(objects, z.members.directory, sizeof(Ref) << z.members.depth, False)
        while table_next_segment(self.arena, &z.members, &position) != NULL:
            add(objects, directory[start >> (32 - z.members.depth)], sizeof(Segment), False)
            start = position
        if z.tree.top:
            self.walk_tree(z.tree.top, z.tree.levels - 1, objects)
        tree_seek_rank(self.arena, &z.tree, 0, &cursor)
        while cursor.ref:
            member_key(arena_at(self.arena, cursor.ref), SCORED_KEY, &n)
            add(objects, cursor.ref, member_bytes(n, SCORED_KEY), False)
            members += 1
            tree_next(self.arena, &cursor)
        assert members == z.tree.count and tree_check(self.arena, &z.tree) == 0
        assert not whole or (members == z.members.count and table_check(self.arena, &z.members) == 0)

    # ------------------------------------------------------------ streams

    cdef walk_stream(self, Ref root, dict objects, bint whole):
        """whole    it is not one that is being freed: all of it fits together"""
        cdef Stream* s = <Stream*>arena_at(self.arena, root)
        cdef StreamBlock* row
        cdef StreamWalk w
        cdef StreamID low, high
        cdef uint32_t i
        add(objects, root, sizeof(Stream), False)
        if s.directory:
            add(objects, s.directory, (s.start + s.blocks) * sizeof(StreamBlock), False)
        for i in range(s.blocks):
            row = &stream_rows(self.arena, s)[i]
            assert 0 < row.live <= row.total
            add(objects, row.block, row.used, False)
        if s.groups.refs:
            add(objects, s.groups.refs, s.groups.count * sizeof(Ref), False)
        for i in range(s.groups.count):
            self.walk_group(name_ref(self.arena, &s.groups, i), objects, whole)
        if not whole:
            return
        low.ms = low.seq = 0
        high.ms = high.seq = <uint64_t>-1
        for reverse in (False, True):
            ids = []
            lives = [0] * s.blocks
            stream_seek(self.arena, s, &low, &high, reverse, &w)
            while stream_next(&w):
                lives[w.index] += 1
                ids.append((w.id.ms, w.id.seq))
            assert ids == sorted(set(ids), reverse=reverse)
            assert <uint64_t>len(ids) == s.length and lives == [stream_rows(self.arena, s)[i].live for i in range(s.blocks)]
            assert (s.first.ms, s.first.seq) == min(ids, default=(0, 0))
            assert not ids or max(ids) <= (s.last.ms, s.last.seq)

    cdef walk_group(self, Ref ref, dict objects, bint whole):
        cdef Group* g = group_at(self.arena, ref)
        cdef Consumer* c
        cdef TreeCursor cursor
        cdef uint32_t i
        cdef dict owners = {}
        add(objects, ref, g.named.header + g.named.name_len, False)
        if g.pending.top:
            self.walk_tree(g.pending.top, g.pending.levels - 1, objects)
        if g.consumers.refs:
            add(objects, g.consumers.refs, g.consumers.count * sizeof(Ref), False)
        tree_seek_rank(self.arena, &g.pending, 0, &cursor)
        while cursor.ref:
            add(objects, cursor.ref, sizeof(Pending), False)
            owners[cursor.ref] = pending_at(self.arena, cursor.ref).consumer
            tree_next(self.arena, &cursor)
        assert <uint64_t>len(owners) == g.pending.count
        for i in range(g.consumers.count):
            ref = name_ref(self.arena, &g.consumers, i)
            c = consumer_at(self.arena, ref)
            add(objects, ref, c.named.header + c.named.name_len, False)
            if c.pending.top:
                self.walk_tree(c.pending.top, c.pending.levels - 1, objects)
            if not whole:
                continue
            assert tree_check(self.arena, &c.pending) == 0
            tree_seek_rank(self.arena, &c.pending, 0, &cursor)
            while cursor.ref:
                assert owners.pop(cursor.ref) == ref
                tree_next(self.arena, &cursor)
        assert not whole or (not owners and tree_check(self.arena, &g.pending) == 0)


cdef add(dict objects, Ref ref, size_t length, bint is_entry):
    assert ref not in objects, f"object {ref} is reached twice"
    objects[ref] = (length, is_entry)
