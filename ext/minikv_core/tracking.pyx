"""CLIENT TRACKING: telling sessions that what they have cached has changed.

A session that tracks has the keys it reads remembered. When such a key changes, all who have read it are
told, and it is forgotten: the next change concerns only those who have read it again. Or, with BCAST, a
session names prefixes and is told of every change to a key with one of them; nothing is remembered for it.
Such changes are gathered until the command, or the transaction, is over: one message for each prefix.

Keys lie in a hash map by name, each with the numbers of the sessions that have read it, in order: one number in
the key itself, several in an array. A session that ends leaves its numbers behind; they are passed over when the
key changes, and dropped when its array would have to grow. The table is bounded: past tracking-table-max-keys,
random keys go, and their readers are told as if they had changed.

Messages to the session that runs follow the reply to its command (session_push). All of it is process memory of
the engine; an engine that nobody has ever tracked in has none.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, qsort, realloc
from libc.string cimport memcmp, memcpy, memmove, memset, strcmp
from minikv_core.engine cimport (
    CLOSE_AFTER, CLOSE_NOW, IN_EXEC, IS_PUBSUB, MOVABLE_KEYS, QUEUEING, READONLY, TRACKING, Command, Database, Engine,
    Session,
)
from minikv_core.hash cimport hash_bytes
from minikv_core.keyspace cimport random_next
from minikv_core.linked cimport (
    Map, Node, Ring, map_add, map_chain, map_remove, ring_append, ring_init, ring_remove,
)
from minikv_core.numbers cimport parse_int
from minikv_core.output cimport Output, output_attach, output_free, output_init
from minikv_core.reply cimport reply_array, reply_bulk, reply_int, reply_null, reply_push, reply_text
from minikv_core.session cimport is_word, on_session_end, session_push
from minikv_core.types cimport NO_MEMORY, OK, Slice, Status

cdef enum:
    FORMAT_BYTES = 4096         # stack room in which a message is formatted; a larger one is malloc'd
    KEEP_CHANGES = 1024         # room that a prefix keeps for the next changes
    EVICTED_A_READ = 100        # keys forgotten at once, past the limit
    EVICTED_A_SETTING = 10000

cdef union Readers:
    uint64_t one
    uint64_t* several           # ascending; malloc'd

cdef struct TrackedKey:
    Node     node               # in Tracking.keys; first, so that a Node* is a TrackedKey*
    Readers  readers            # ids of the sessions that have read it
    uint32_t count              # of those
    uint32_t room               # of the array; 0 = there is one reader
    uint32_t len
    char[1]  name               # len bytes

cdef struct Change:             # a key that has changed, to be told to those with its prefix
    char*    name               # malloc'd
    uint32_t len
    uint32_t order              # of changes since the last message
    const Tracker* by           # session that has changed it; NULL = none, or it does not track

cdef struct Prefix:
    Ring     ring               # in Tracking.prefixes, by name; first, so that a Ring* is a Prefix*
    Ring     links              # head: who wants to know
    Change*  changes            # since the last message; malloc'd
    uint32_t count
    uint32_t room
    bint     lost               # memory was refused for one of them: anything may have changed
    uint32_t len
    char[1]  name               # len bytes

cdef struct Link:               # a session wants to know of keys with a prefix
    Ring     of_prefix          # in Prefix.links; first, so that a Ring* is a Link*
    Ring     of_tracker         # in Tracker.links
    Prefix*  prefix
    Tracker* tracker

cdef struct Tracker:            # Session.tracking: the session tracks, or gets the messages of others who do
    Ring     of_engine          # in Tracking.trackers while `on`; first, so that a Ring* is a Tracker*
    Ring     of_to              # in to.senders
    Node     node               # in Tracking.live while `on`, by the session's id
    Session* session
    int      options            # TrackingOption bits
    bint     on
    uint64_t to_id              # number of the session that gets the messages; 0 = this one
    Tracker* to                 # the same; NULL = none, or it has gone
    Ring     senders            # head: those whose messages come here
    Ring     links              # head

cdef struct Tracking:           # Engine.tracking
    Map      keys               # TrackedKey.node
    Map      live               # Tracker.node
    uint32_t items              # readers of all keys
    Ring     trackers           # head: those that are on
    Ring     prefixes           # head
    uint32_t prefix_count
    bint     changed            # some prefix has changes: one of Engine.ready_keys
    bint     telling
    void     (*serve_blocked)(Engine* e) noexcept nogil     # what else there is to do after a command

# ---------------------------------------------------------------- keys and who has read them

cdef inline Tracking* tracking_of(const Engine* e) noexcept nogil:
    return <Tracking*>e.tracking


cdef inline Tracker* tracker_of(const Session* s) noexcept nogil:
    return <Tracker*>s.tracking


cdef inline Link* link_of_tracker(Ring* of_tracker) noexcept nogil:
    return <Link*>(of_tracker - 1)


cdef Tracker* live_tracker(const Tracking* all, uint64_t id) noexcept nogil:
    """What tracks in the session of that id; NULL = it has gone, or tracks no more."""
    cdef Node* node = map_chain(&all.live, id)
    while node != NULL and node.hash != id:
        node = node.chained
    return <Tracker*>(<char*>node - 2 * sizeof(Ring)) if node != NULL else NULL


cdef TrackedKey* find_key(const Tracking* all, const Slice* key, uint64_t hash) noexcept nogil:
    cdef Node* node = map_chain(&all.keys, hash)
    cdef TrackedKey* k
    while node != NULL:
        k = <TrackedKey*>node
        if node.hash == hash and k.len == key.len and (k.len == 0 or memcmp(k.name, key.ptr, k.len) == 0):
            return k
        node = node.chained
    return NULL


cdef TrackedKey* add_key(Tracking* all, const Slice* key, uint64_t hash, uint64_t reader) noexcept nogil:
    cdef TrackedKey* k = <TrackedKey*>malloc(sizeof(TrackedKey) + key.len)
    if k == NULL:
        return NULL
    k.node.hash = hash
    k.readers.one = reader
    k.count = 1
    k.room = 0
    k.len = key.len
    if key.len:
        memcpy(k.name, key.ptr, key.len)
    if not map_add(&all.keys, &k.node):
        free(k)
        return NULL
    all.items += 1
    return k


cdef void forget_key(Tracking* all, TrackedKey* k) noexcept nogil:
    map_remove(&all.keys, &k.node)
    free_key(all, k)


cdef inline void free_key(Tracking* all, TrackedKey* k) noexcept nogil:
    all.items -= k.count
    if k.room:
        free(k.readers.several)
    free(k)


cdef void forget_all(Tracking* all) noexcept nogil:
    cdef uint32_t i
    cdef Node* node
    cdef Node* following
    for i in range(all.keys.room):
        node = all.keys.places[i]
        while node != NULL:
            following = node.chained
            free_key(all, <TrackedKey*>node)
            node = following
    free(all.keys.places)
    memset(&all.keys, 0, sizeof(Map))


cdef inline uint64_t* readers_of(TrackedKey* k) noexcept nogil:
    return k.readers.several if k.room else &k.readers.one


cdef bint add_reader(Tracking* all, TrackedKey* k, uint64_t id) noexcept nogil:
    """Note that a session has read a key; False = no memory."""
    cdef uint64_t* readers = readers_of(k)
    cdef uint32_t low = 0, high = k.count, middle
    while low < high:
        middle = (low + high) // 2
        if readers[middle] < id:
            low = middle + 1
        else:
            high = middle
    if low < k.count and readers[low] == id:
        return True
    if k.count >= k.room:
        if not make_room(all, k):
            return False
        return add_reader(all, k, id)
    memmove(k.readers.several + low + 1, k.readers.several + low, (k.count - low) * sizeof(uint64_t))
    k.readers.several[low] = id
    k.count += 1
    all.items += 1
    return True


cdef bint make_room(Tracking* all, TrackedKey* k) noexcept nogil:
    """Drop those of a key's readers who track no more, and if few do, give it a larger array."""
    cdef uint32_t room = k.room * 2 if k.room else 2
    cdef uint64_t first = k.readers.one
    cdef uint64_t* several
    cdef uint32_t i, kept = 0
    if k.room:
        several = k.readers.several
        for i in range(k.count):
            if live_tracker(all, several[i]) != NULL:
                several[kept] = several[i]
                kept += 1
        all.items -= k.count - kept
        k.count = kept
        if kept <= k.room // 2:
            return True
    several = <uint64_t*>realloc(k.readers.several if k.room else NULL, room * sizeof(uint64_t))
    if several == NULL:
        return k.count < k.room
    if k.room == 0:
        several[0] = first
    k.readers.several = several
    k.room = room
    return True

# ---------------------------------------------------------------- prefixes

cdef int compare_names(const char* a, uint32_t a_len, const char* b, uint32_t b_len) noexcept nogil:
    cdef uint32_t n = a_len if a_len < b_len else b_len
    cdef int order = memcmp(a, b, n) if n else 0
    return order if order else (a_len > b_len) - (a_len < b_len)


cdef Prefix* need_prefix(Tracking* all, const Slice* name) noexcept nogil:
    """The prefix of that name; NULL = no memory."""
    cdef Ring* r = all.prefixes.next
    cdef Prefix* p
    cdef int order = 1
    while r != &all.prefixes:
        p = <Prefix*>r
        order = compare_names(p.name, p.len, name.ptr, name.len)
        if order == 0:
            return p
        if order > 0:
            break
        r = r.next
    p = <Prefix*>calloc(1, sizeof(Prefix) + name.len)
    if p == NULL:
        return NULL
    ring_init(&p.links)
    p.len = name.len
    if name.len:
        memcpy(p.name, name.ptr, name.len)
    ring_append(r, &p.ring)             # before the one that follows
    all.prefix_count += 1
    return p


cdef void drop_prefix(Tracking* all, Prefix* p) noexcept nogil:
    forget_changes(p)
    free(p.changes)
    ring_remove(&p.ring)
    all.prefix_count -= 1
    free(p)


cdef bint add_link(Tracking* all, Tracker* t, const Slice* name) noexcept nogil:
    """Have a session told of keys with a prefix; False = no memory."""
    cdef Prefix* p = need_prefix(all, name)
    cdef Ring* r = t.links.next
    cdef Link* link
    if p == NULL:
        return False
    while r != &t.links:
        if link_of_tracker(r).prefix == p:
            return True
        r = r.next
    link = <Link*>malloc(sizeof(Link))
    if link == NULL:
        if p.links.next == &p.links:
            drop_prefix(all, p)
        return False
    link.prefix = p
    link.tracker = t
    ring_append(&p.links, &link.of_prefix)
    ring_append(&t.links, &link.of_tracker)
    t.session.state_bytes += sizeof(Link) + p.len
    return True


cdef void drop_link(Tracking* all, Link* link) noexcept nogil:
    cdef Prefix* p = link.prefix
    link.tracker.session.state_bytes -= sizeof(Link) + p.len
    ring_remove(&link.of_prefix)
    ring_remove(&link.of_tracker)
    free(link)
    if p.links.next == &p.links:
        drop_prefix(all, p)

# ---------------------------------------------------------------- sessions

cdef Tracker* need_tracker(Session* s) noexcept nogil:
    cdef Tracker* t = tracker_of(s)
    if t == NULL:
        t = <Tracker*>calloc(1, sizeof(Tracker))
        if t == NULL:
            return NULL
        t.session = s
        ring_init(&t.senders)
        ring_init(&t.links)
        s.tracking = t
        s.state_bytes += sizeof(Tracker)
    return t


cdef Tracking* need_tracking(Engine* e) noexcept nogil:
    cdef Tracking* all = tracking_of(e)
    if all == NULL:
        all = <Tracking*>calloc(1, sizeof(Tracking))
        if all == NULL:
            return NULL
        ring_init(&all.trackers)
        ring_init(&all.prefixes)
        all.serve_blocked = e.serve_blocked
        e.serve_blocked = after_command
        e.tracking = all
    return all


cdef void redirect(Tracker* t, Tracker* to) noexcept nogil:
    if t.to != NULL:
        ring_remove(&t.of_to)
    t.to = to
    t.to_id = 0
    if to != NULL:
        t.to_id = to.session.id
        ring_append(&to.senders, &t.of_to)


cdef Status tracking_start(Session* s, int options, Session* to, const Slice* prefixes, uint32_t count) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Tracking* all = need_tracking(e)
    cdef Tracker* t = need_tracker(s) if all != NULL else NULL
    cdef Tracker* receiver = need_tracker(to) if t != NULL and to != NULL else NULL
    cdef uint32_t i
    if t == NULL or (to != NULL and receiver == NULL):
        return NO_MEMORY
    for i in range(count):
        if not add_link(all, t, &prefixes[i]):
            if not t.on:
                forget_links(all, t)
            return NO_MEMORY
    if not t.on:
        t.node.hash = s.id
        if not map_add(&all.live, &t.node):
            forget_links(all, t)
            return NO_MEMORY
        t.on = True
        ring_append(&all.trackers, &t.of_engine)
        e.trackers += 1
        s.gate |= TRACKING
    redirect(t, receiver)
    t.options = options | (t.options & TRACK_CACHING)
    return OK


cdef void forget_links(Tracking* all, Tracker* t) noexcept nogil:
    while t.links.next != &t.links:
        drop_link(all, link_of_tracker(t.links.next))


cdef void tracking_stop(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Tracking* all = tracking_of(e)
    cdef Tracker* t = tracker_of(s)
    if t == NULL or not t.on:
        return
    forget_links(all, t)
    map_remove(&all.live, &t.node)
    redirect(t, NULL)
    t.options = 0
    t.on = False
    ring_remove(&t.of_engine)
    e.trackers -= 1
    s.gate &= ~<uint32_t>TRACKING
    if e.trackers == 0:
        forget_all(all)


cdef void end_session(Session* s) noexcept nogil:
    cdef Tracker* t = tracker_of(s)
    cdef Tracker* sender
    if t == NULL:
        return
    tracking_stop(s)
    if s.engine.current == s:           # RESET: it goes on getting what others redirect to it
        return
    while t.senders.next != &t.senders:
        sender = <Tracker*>(t.senders.next - 1)
        ring_remove(&sender.of_to)
        sender.to = NULL
    s.state_bytes -= sizeof(Tracker)
    s.tracking = NULL
    free(t)


cdef void tracking_cache(Session* s) noexcept nogil:
    tracker_of(s).options |= TRACK_CACHING


cdef int tracking_options(const Session* s) noexcept nogil:
    return tracker_of(s).options if s.gate & TRACKING else -1


cdef int64_t tracking_redirect(const Session* s) noexcept nogil:
    return <int64_t>tracker_of(s).to_id


cdef bint tracking_prefix(const Session* s, uint32_t i, Slice* prefix) noexcept nogil:
    cdef Tracker* t = tracker_of(s)
    cdef Ring* r = t.links.next
    while r != &t.links:
        if i == 0:
            prefix.ptr = link_of_tracker(r).prefix.name
            prefix.len = link_of_tracker(r).prefix.len
            return True
        i -= 1
        r = r.next
    return False

# ---------------------------------------------------------------- messages

cdef inline void begin_message(Output* message, char* room) noexcept nogil:
    """Let an output take a part of a message; `room` is FORMAT_BYTES of the caller's stack."""
    output_init(message, NULL)
    output_attach(message, room, FORMAT_BYTES)


cdef void tell(Tracker* t, const Output* keys) noexcept nogil:
    """Send an invalidation message to whoever gets a session's messages.

    keys    an array of names; NULL = all keys
    """
    cdef char[256] room
    cdef Output head
    cdef Session* to = t.session
    if t.to_id:
        if t.to == NULL or t.to.session.gate & (CLOSE_AFTER | CLOSE_NOW):
            tell_broken(t)
            return
        to = t.to.session
    output_init(&head, NULL)
    output_attach(&head, room, sizeof(room))
    head.protocol = to.out.protocol
    if to.out.protocol > 2:
        reply_push(&head, 2)
        reply_text(&head, b"invalidate")
    elif t.to_id and to.flags & IS_PUBSUB:
        reply_array(&head, 3)
        reply_text(&head, b"message")
        reply_text(&head, b"__redis__:invalidate")
    else:
        return                          # in RESP2 it could not be told from a reply
    if keys == NULL:
        reply_null(&head)
    session_push(to, &head)
    if keys != NULL:
        session_push(to, keys)
    output_free(&head)


cdef void tell_broken(Tracker* t) noexcept nogil:
    """Tell a session that the one that its messages were to go to has gone."""
    cdef char[256] room
    cdef Output message
    t.options |= TRACK_BROKEN
    if t.session.out.protocol > 2:
        output_init(&message, NULL)
        output_attach(&message, room, sizeof(room))
        message.protocol = 3
        reply_push(&message, 2)
        reply_text(&message, b"tracking-redir-broken")
        reply_int(&message, <int64_t>t.to_id)
        session_push(t.session, &message)
        output_free(&message)

# ---------------------------------------------------------------- reading

cdef void track_read(Session* s) noexcept nogil:
    cdef Tracker* t = tracker_of(s)
    cdef const Command* c = s.command
    cdef bint said = t.options & TRACK_CACHING != 0
    cdef bint wanted = said if t.options & TRACK_OPTIN else not (said and t.options & TRACK_OPTOUT)
    if wanted and c.flags & READONLY and t.options & TRACK_BCAST == 0:
        remember_keys(s, t)
    if said and s.flags & IN_EXEC == 0 and s.gate & QUEUEING == 0 and not is_of_client(c):
        t.options &= ~TRACK_CACHING


cdef inline bint is_of_client(const Command* c) noexcept nogil:
    return c.parent != NULL and strcmp(c.parent.name, b"client") == 0


cdef bint find_range(const Session* s, uint32_t* first, uint32_t* end, uint32_t* step) noexcept nogil:
    """Where the keys of the request are that has run: argv[first], argv[first + step], ... before end."""
    cdef const Command* c = s.command
    cdef int64_t n
    cdef uint32_t i
    step[0] = 1
    if c.first_key > 0:
        first[0] = <uint32_t>c.first_key
        step[0] = <uint32_t>c.key_step
        n = c.last_key if c.last_key >= 0 else <int64_t>s.argc + c.last_key
    elif c.key_count:
        if <uint32_t>c.key_count >= s.argc or not parse_int(s.argv[c.key_count].ptr, s.argv[c.key_count].len, &n):
            return False
        first[0] = <uint32_t>c.counted_keys
        if not 0 < n <= <int64_t>s.argc - c.counted_keys:
            return False
        n += c.counted_keys - 1
    elif c.flags & MOVABLE_KEYS:        # of those that only read, XREAD: as many keys behind the word as numbers
        i = 1
        while i < s.argc and not is_word(&s.argv[i], b"streams"):
            i += 1
        first[0] = i + 1
        n = i + (<int64_t>s.argc - i - 1) // 2 if i < s.argc else 0
    else:
        return False
    end[0] = <uint32_t>(n + 1)
    return 0 <= n < s.argc and first[0] <= n


cdef void remember_keys(Session* s, Tracker* t) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Tracking* all = tracking_of(e)
    cdef uint32_t i, end, step
    cdef uint64_t hash
    if not find_range(s, &i, &end, &step):
        return
    while i < end:
        hash = hash_bytes(&e.arena.head.seed, s.argv[i].ptr, s.argv[i].len)
        if not remember(all, t, &s.argv[i], hash):
            tell_key(t, &s.argv[i])     # it can't be promised that a change would be
        i += step
    evict_keys(e, EVICTED_A_READ)


cdef inline bint remember(Tracking* all, Tracker* t, const Slice* key, uint64_t hash) noexcept nogil:
    cdef TrackedKey* k = find_key(all, key, hash)
    if k == NULL:
        return add_key(all, key, hash, t.session.id) != NULL
    return add_reader(all, k, t.session.id)


cdef void evict_keys(Engine* e, uint32_t most) noexcept nogil:
    """Forget keys at random until there are no more than tracking-table-max-keys."""
    cdef Tracking* all = tracking_of(e)
    cdef int64_t limit = e.config.tracking_table_max_keys
    cdef Node* node
    cdef uint64_t place
    while most and limit and <int64_t>all.keys.count > limit:
        place = random_next(&e.random)
        node = map_chain(&all.keys, place)
        while node == NULL:
            place += 1
            node = map_chain(&all.keys, place)
        invalidate(e, <TrackedKey*>node, NULL)
        most -= 1


cdef void tracking_limit(Engine* e) noexcept nogil:
    if e.tracking != NULL:
        evict_keys(e, EVICTED_A_SETTING)

# ---------------------------------------------------------------- changing

cdef void track_change(Engine* e, Database* db, const Slice* key) noexcept nogil:
    """Tell of a changed key; key NULL: of all of them, db NULL: it has expired, by itself."""
    cdef Tracking* all = tracking_of(e)
    cdef Tracker* own = tracker_of(e.current) if e.current != NULL else NULL
    cdef TrackedKey* k
    if key == NULL:
        flush(all)
        return
    if all.prefix_count:
        note_change(e, key, own if db != NULL else NULL)
    if all.keys.count:
        k = find_key(all, key, hash_bytes(&e.arena.head.seed, key.ptr, key.len))
        if k != NULL:
            invalidate(e, k, own)


cdef void invalidate(Engine* e, TrackedKey* k, const Tracker* by) noexcept nogil:
    """Tell all who have read a key that a session (or nobody) has changed, and forget it."""
    cdef Tracking* all = tracking_of(e)
    cdef char[4096] room            # FORMAT_BYTES
    cdef Output keys
    cdef Tracker* t
    cdef uint32_t i
    begin_message(&keys, room)
    reply_array(&keys, 1)
    reply_bulk(&keys, k.name, k.len)
    for i in range(k.count):
        t = live_tracker(all, readers_of(k)[i])
        if t != NULL and t.options & TRACK_BCAST == 0 and not (t == by and t.options & TRACK_NOLOOP):
            tell(t, &keys)
    output_free(&keys)
    forget_key(all, k)


cdef void tell_key(Tracker* t, const Slice* key) noexcept nogil:
    cdef char[4096] room            # FORMAT_BYTES
    cdef Output keys
    begin_message(&keys, room)
    reply_array(&keys, 1)
    reply_bulk(&keys, key.ptr, key.len)
    tell(t, &keys)
    output_free(&keys)


cdef void flush(Tracking* all) noexcept nogil:
    """Tell everybody that all keys have changed."""
    cdef Ring* r = all.trackers.next
    while r != &all.trackers:
        tell(<Tracker*>r, NULL)
        r = r.next
    forget_all(all)

# ---------------------------------------------------------------- broadcasts

cdef void note_change(Engine* e, const Slice* key, const Tracker* by) noexcept nogil:
    """Gather a changed key for those with its prefixes."""
    cdef Tracking* all = tracking_of(e)
    cdef Ring* r = all.prefixes.next
    cdef Prefix* p
    while r != &all.prefixes:
        p = <Prefix*>r
        if p.len <= key.len and (p.len == 0 or memcmp(p.name, key.ptr, p.len) == 0):
            if not add_change(p, key, by):
                p.lost = True
            if not all.changed:
                all.changed = True
                e.ready_keys += 1       # something to do after the command
        r = r.next


cdef bint add_change(Prefix* p, const Slice* key, const Tracker* by) noexcept nogil:
    cdef uint32_t room = p.room * 2 if p.room else 4
    cdef Change* grown
    cdef char* name
    if p.count == p.room:
        grown = <Change*>realloc(p.changes, room * sizeof(Change))
        if grown == NULL:
            return False
        p.changes = grown
        p.room = room
    name = <char*>malloc(key.len + 1)
    if name == NULL:
        return False
    if key.len:
        memcpy(name, key.ptr, key.len)
    p.changes[p.count].name = name
    p.changes[p.count].len = key.len
    p.changes[p.count].order = p.count
    p.changes[p.count].by = by
    p.count += 1
    return True


cdef void forget_changes(Prefix* p) noexcept nogil:
    cdef uint32_t i
    for i in range(p.count):
        free(p.changes[i].name)
    p.count = 0
    p.lost = False
    if p.room > KEEP_CHANGES:
        free(p.changes)
        p.changes = NULL
        p.room = 0


cdef int compare_changes(const void* one, const void* other) noexcept nogil:
    cdef const Change* a = <const Change*>one
    cdef const Change* b = <const Change*>other
    cdef int order = compare_names(a.name, a.len, b.name, b.len)
    return order if order else (a.order > b.order) - (a.order < b.order)


cdef void tidy(Prefix* p) noexcept nogil:
    """Sort the changed keys, and keep of each only its last change."""
    cdef Change* c = p.changes
    cdef uint32_t i, kept = 0
    qsort(c, p.count, sizeof(Change), compare_changes)
    for i in range(1, p.count):
        if c[kept].len == c[i].len and (c[i].len == 0 or memcmp(c[kept].name, c[i].name, c[i].len) == 0):
            free(c[kept].name)
        else:
            kept += 1
        c[kept] = c[i]
    p.count = kept + 1


cdef void put_changes(Output* keys, const Prefix* p, const Tracker* but) noexcept nogil:
    """Write the changed keys, but not those that one session has changed."""
    cdef uint32_t i, count = 0
    for i in range(p.count):
        count += but == NULL or p.changes[i].by != but
    reply_array(keys, count)
    for i in range(p.count):
        if but == NULL or p.changes[i].by != but:
            reply_bulk(keys, p.changes[i].name, p.changes[i].len)


cdef bint concerns(const Tracker* t, const Prefix* p) noexcept nogil:
    """Whether others than a session have changed a key."""
    cdef uint32_t i
    for i in range(p.count):
        if p.changes[i].by != t:
            return True
    return False


cdef void tell_changes(Prefix* p) noexcept nogil:
    """Send the changed keys of a prefix to all who want to know."""
    cdef char[4096] room            # FORMAT_BYTES
    cdef char[4096] other_room
    cdef Output keys, others
    cdef Ring* r = p.links.next
    cdef Tracker* t
    if p.count:
        tidy(p)
    begin_message(&keys, room)
    put_changes(&keys, p, NULL)
    while r != &p.links:
        t = (<Link*>r).tracker
        if p.lost or keys.broken:
            tell(t, NULL)
        elif t.options & TRACK_NOLOOP == 0:
            tell(t, &keys)
        elif concerns(t, p):
            begin_message(&others, other_room)
            put_changes(&others, p, t)
            tell(t, &others)
            output_free(&others)
        r = r.next
    output_free(&keys)
    forget_changes(p)


cdef void after_command(Engine* e) noexcept nogil:
    """Serve blocked clients, whose commands may change more, then tell of what has changed under the prefixes."""
    cdef Tracking* all = tracking_of(e)
    cdef Ring* r
    if all.telling:
        return
    all.telling = True
    all.serve_blocked(e)
    if all.changed:
        all.changed = False
        e.ready_keys -= 1
        r = all.prefixes.next
        while r != &all.prefixes:
            if (<Prefix*>r).count or (<Prefix*>r).lost:
                tell_changes(<Prefix*>r)
            r = r.next
    all.telling = False

# ---------------------------------------------------------------- engines

cdef uint32_t tracked_keys(const Engine* e) noexcept nogil:
    return tracking_of(e).keys.count if e.tracking != NULL else 0


cdef uint32_t tracked_items(const Engine* e) noexcept nogil:
    return tracking_of(e).items if e.tracking != NULL else 0


cdef uint32_t tracked_prefixes(const Engine* e) noexcept nogil:
    return tracking_of(e).prefix_count if e.tracking != NULL else 0


cdef void tracking_attach(Engine* e) noexcept nogil:
    e.track_read = track_read
    e.track_change = track_change


cdef void tracking_release(Engine* e) noexcept nogil:
    cdef Tracking* all = tracking_of(e)
    if all != NULL:
        free(all.keys.places)
        free(all.live.places)
        free(all)
        e.tracking = NULL

on_session_end(end_session)
