"""Publish and subscribe, and the sending of keyspace events.

A topic is a channel, a pattern or a shard channel that somebody subscribes to; a link is one
session's subscription to one topic. Links stand in two rings, one of their topic (whom to send to)
and one of their session (what to drop when it ends), both in order of subscription. Two hash maps,
of topics by name and of links by (topic, session), make every step but the fan-out itself O(1).
All of it lies in process memory and belongs to the engine; an engine without subscribers has none.

A message is formatted once: its RESP2 and RESP3 forms differ in the first byte alone. A session
that publishes to itself gets the message behind its command's reply (session_push).
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memcpy, strlen
from minikv_core.engine cimport (
    EVENT_KEYEVENT, EVENT_KEYSPACE, Engine, FAST, IN_EXEC, IN_SUBSCRIBE, IS_INTERNAL, IS_PUBSUB, LOADING, NOSCRIPT,
    MAY_REPLICATE, PUBSUB, REPLY_OFF, REPLY_SKIP, STALE, SUBSCRIBED, Session,
)
from minikv_core.glob cimport glob_match
from minikv_core.hash cimport hash_bytes
from minikv_core.linked cimport (
    Map, Node, Ring, map_add, map_chain, map_remove, ring_append, ring_init, ring_remove,
)
from minikv_core.output cimport Output, output_attach, output_free, output_init
from minikv_core.registry cimport fn
from minikv_core.reply cimport (
    reply_array, reply_bulk, reply_int, reply_null, reply_push, reply_simple, reply_text,
)
from minikv_core.session cimport fail, fail_status, on_session_end, refuse_push, session_push
from minikv_core.types cimport FAILED, NO_MEMORY, OK, Slice, Status

from minikv_core.registry import KeySpec, define

cdef enum:
    FORMAT_BYTES = 4096     # stack room in which a message is formatted; a larger one is malloc'd
    EVENT_CHANNEL_BYTES = 256

cdef struct Topic:
    Ring     ring           # in PubSub.topics of its kind; first, so that a Ring* is a Topic*
    Node     node           # in PubSub.by_name
    Ring     links          # head: its subscribers
    uint32_t subscribers
    uint32_t len
    uint8_t  kind           # CHANNEL, PATTERN or SHARD
    char[1]  name           # len bytes

cdef struct Link:
    Ring     of_topic       # in Topic.links; first, so that a Ring* is a Link*
    Ring     of_session     # in Subscriptions.links
    Node     node           # in PubSub.by_pair
    Topic*   topic
    Session* session

cdef struct PubSub:         # Engine.pubsub; malloc'd at the first subscription
    Map      by_name        # Topic.node
    Map      by_pair        # Link.node
    Ring[3]  topics         # heads, by kind
    uint32_t[3] counts

cdef struct Subscriptions:  # Session.subscriptions; malloc'd while there are any
    Ring[3]  links          # heads, by kind
    uint32_t[3] counts

# ---------------------------------------------------------------- topics and links

cdef inline Link* link_of_session(Ring* of_session) noexcept nogil:
    return <Link*>(of_session - 1)

cdef inline Topic* topic_of_node(Node* node) noexcept nogil:
    return <Topic*>(<char*>node - sizeof(Ring))

cdef inline Link* link_of_node(Node* node) noexcept nogil:
    return <Link*>(<char*>node - 2 * sizeof(Ring))

cdef inline uint64_t topic_hash(const Engine* e, int kind, const Slice* name) noexcept nogil:
    return hash_bytes(&e.arena.head.seed, name.ptr, name.len) + <uint64_t>kind

cdef inline uint64_t link_hash(const Topic* t, const Session* s) noexcept nogil:
    return t.node.hash ^ (s.id * <uint64_t>0x9E3779B97F4A7C15 >> 20)

cdef Topic* find_topic(const Engine* e, int kind, const Slice* name) noexcept nogil:
    cdef PubSub* ps = <PubSub*>e.pubsub
    cdef uint64_t hash
    cdef Node* node
    cdef Topic* t
    if ps == NULL:
        return NULL
    hash = topic_hash(e, kind, name)
    node = map_chain(&ps.by_name, hash)
    while node != NULL:
        t = topic_of_node(node)
        if node.hash == hash and t.kind == kind and t.len == name.len and memcmp(t.name, name.ptr, t.len) == 0:
            return t
        node = node.chained
    return NULL

cdef Link* find_link(const Topic* t, const Session* s) noexcept nogil:
    cdef uint64_t hash = link_hash(t, s)
    cdef Node* node = map_chain(&(<PubSub*>s.engine.pubsub).by_pair, hash)
    while node != NULL:
        if link_of_node(node).topic == t and link_of_node(node).session == s:
            return link_of_node(node)
        node = node.chained
    return NULL

cdef PubSub* pubsub_new() noexcept nogil:
    cdef PubSub* ps = <PubSub*>calloc(1, sizeof(PubSub))
    cdef int kind
    if ps != NULL:
        for kind in range(TOPIC_KINDS):
            ring_init(&ps.topics[kind])
    return ps

cdef Topic* new_topic(Engine* e, int kind, const Slice* name) noexcept nogil:
    cdef PubSub* ps = <PubSub*>e.pubsub
    cdef Topic* t = <Topic*>malloc(sizeof(Topic) + name.len)
    if t == NULL:
        return NULL
    t.node.hash = topic_hash(e, kind, name)
    if not map_add(&ps.by_name, &t.node):
        free(t)
        return NULL
    ring_append(&ps.topics[kind], &t.ring)
    ring_init(&t.links)
    t.subscribers = 0
    t.kind = <uint8_t>kind
    t.len = name.len
    memcpy(t.name, name.ptr, name.len)
    ps.counts[kind] += 1
    return t

cdef void drop_topic(PubSub* ps, Topic* t) noexcept nogil:
    map_remove(&ps.by_name, &t.node)
    ring_remove(&t.ring)
    ps.counts[t.kind] -= 1
    free(t)

cdef Subscriptions* need_subscriptions(Session* s) noexcept nogil:
    cdef Subscriptions* own = <Subscriptions*>s.subscriptions
    cdef int kind
    if own == NULL:
        own = <Subscriptions*>calloc(1, sizeof(Subscriptions))
        if own == NULL:
            return NULL
        for kind in range(TOPIC_KINDS):
            ring_init(&own.links[kind])
        s.subscriptions = own
        s.flags |= IS_PUBSUB
        s.gate |= SUBSCRIBED
        s.engine.subscribers += 1
    return own

cdef void leave_if_none(Session* s) noexcept nogil:
    """End pub/sub mode with the last subscription."""
    cdef Subscriptions* own = <Subscriptions*>s.subscriptions
    if own != NULL and own.counts[CHANNEL] + own.counts[PATTERN] + own.counts[SHARD] == 0:
        free(own)
        s.subscriptions = NULL
        s.flags &= ~<uint32_t>IS_PUBSUB
        s.gate &= ~<uint32_t>SUBSCRIBED
        s.engine.subscribers -= 1

cdef Status subscribe(Session* s, int kind, const Slice* name) noexcept nogil:
    """OK also if the session has that subscription already; else OK or NO_MEMORY."""
    cdef Engine* e = s.engine
    cdef PubSub* ps
    cdef Subscriptions* own
    cdef Topic* t
    cdef Link* link
    if e.pubsub == NULL:
        e.pubsub = pubsub_new()
        if e.pubsub == NULL:
            return NO_MEMORY
    ps = <PubSub*>e.pubsub
    t = find_topic(e, kind, name)
    if t != NULL and find_link(t, s) != NULL:
        return OK
    if t == NULL:
        t = new_topic(e, kind, name)
        if t == NULL:
            return NO_MEMORY
    link = <Link*>malloc(sizeof(Link))
    own = need_subscriptions(s)
    if link != NULL:
        link.node.hash = link_hash(t, s)
    if link == NULL or own == NULL or not map_add(&ps.by_pair, &link.node):
        free(link)
        if t.subscribers == 0:
            drop_topic(ps, t)
        leave_if_none(s)
        return NO_MEMORY
    link.topic = t
    link.session = s
    ring_append(&t.links, &link.of_topic)
    ring_append(&own.links[kind], &link.of_session)
    t.subscribers += 1
    own.counts[kind] += 1
    s.state_bytes += sizeof(Link) + t.len
    return OK

cdef void unsubscribe(Link* link) noexcept nogil:
    """End one subscription; the session's pub/sub mode is the caller's matter."""
    cdef PubSub* ps = <PubSub*>link.session.engine.pubsub
    cdef Topic* t = link.topic
    map_remove(&ps.by_pair, &link.node)
    ring_remove(&link.of_topic)
    ring_remove(&link.of_session)
    (<Subscriptions*>link.session.subscriptions).counts[t.kind] -= 1
    link.session.state_bytes -= sizeof(Link) + t.len
    free(link)
    t.subscribers -= 1
    if t.subscribers == 0:
        drop_topic(ps, t)

cdef void end_session(Session* s) noexcept nogil:
    cdef Subscriptions* own = <Subscriptions*>s.subscriptions
    cdef int kind
    if own == NULL:
        return
    for kind in range(TOPIC_KINDS):
        while own.counts[kind]:
            unsubscribe(link_of_session(own.links[kind].next))
    leave_if_none(s)

cdef uint32_t topic_count(const Engine* e, int kind) noexcept nogil:
    return (<PubSub*>e.pubsub).counts[kind] if e.pubsub != NULL else 0

cdef uint32_t subscription_count(const Session* s, int kind) noexcept nogil:
    return (<Subscriptions*>s.subscriptions).counts[kind] if s.subscriptions != NULL else 0

# ---------------------------------------------------------------- messages

cdef inline void begin_message(Output* message, char* room, uint8_t protocol) noexcept nogil:
    """Let an output take a push; `room` is FORMAT_BYTES of the caller's stack."""
    output_init(message, NULL)
    message.protocol = protocol
    output_attach(message, room, FORMAT_BYTES)

cdef int64_t send_to_topic(Topic* t, const char* word, const Slice* channel, const Slice* message) noexcept nogil:
    """Send to all subscribers of one topic; a pattern's message names the pattern too."""
    cdef Output m
    cdef char[4096] room            # FORMAT_BYTES
    cdef char* first
    cdef Session* s
    cdef Ring* r = t.links.next
    begin_message(&m, room, 3)
    reply_push(&m, 4 if t.kind == PATTERN else 3)
    reply_text(&m, word)
    if t.kind == PATTERN:
        reply_bulk(&m, t.name, t.len)
    reply_bulk(&m, channel.ptr, channel.len)
    reply_bulk(&m, message.ptr, message.len)
    first = <char*>(m.head + 1) if m.head != NULL else m.base
    while r != &t.links and not m.broken:
        s = (<Link*>r).session
        first[0] = c'*' if s.out.protocol == 2 else c'>'
        session_push(s, &m)
        r = r.next
    output_free(&m)
    return t.subscribers

cdef int64_t publish(Engine* e, int kind, const Slice* channel, const Slice* message) noexcept nogil:
    cdef PubSub* ps = <PubSub*>e.pubsub
    cdef Topic* t
    cdef Ring* r
    cdef int64_t receivers = 0
    if ps == NULL:
        return 0
    t = find_topic(e, kind, channel)
    if t != NULL:
        receivers = send_to_topic(t, b"smessage" if kind == SHARD else b"message", channel, message)
    if kind == CHANNEL:
        r = ps.topics[PATTERN].next
        while r != &ps.topics[PATTERN]:
            t = <Topic*>r
            if glob_match(t.name, t.len, channel.ptr, channel.len, False):
                receivers += send_to_topic(t, b"pmessage", channel, message)
            r = r.next
    e.stats.pubsub_messages += receivers
    return receivers

cdef void publish_about(Engine* e, const char* form, uint32_t db, const Slice* subject,
                        const Slice* message) noexcept nogil:
    """Publish to the channel that consists of a prefix with the database's number and a subject."""
    cdef char[256] room             # EVENT_CHANNEL_BYTES
    cdef Slice channel
    cdef uint32_t prefix = <uint32_t>snprintf(room, EVENT_CHANNEL_BYTES, form, db)
    channel.len = prefix + subject.len
    channel.ptr = room
    if channel.len > EVENT_CHANNEL_BYTES:
        channel.ptr = <char*>malloc(channel.len)
        if channel.ptr == NULL:
            return
        memcpy(channel.ptr, room, prefix)
    memcpy(channel.ptr + prefix, subject.ptr, subject.len)
    publish(e, CHANNEL, &channel, message)
    if channel.ptr != room:
        free(channel.ptr)

cdef void publish_event(Engine* e, const char* event, const Slice* key, uint32_t db) noexcept nogil:
    cdef PubSub* ps = <PubSub*>e.pubsub
    cdef Slice name
    if ps == NULL or ps.counts[CHANNEL] + ps.counts[PATTERN] == 0:
        return
    name.ptr = <char*>event
    name.len = <uint32_t>strlen(event)
    if e.config.notify_keyspace_events & EVENT_KEYSPACE:
        publish_about(e, b"__keyspace@%u__:", db, key, &name)
    if e.config.notify_keyspace_events & EVENT_KEYEVENT:
        publish_about(e, b"__keyevent@%u__:", db, &name, key)

cdef void pubsub_attach(Engine* e) noexcept nogil:
    e.publish_event = publish_event

cdef void pubsub_release(Engine* e) noexcept nogil:
    cdef PubSub* ps = <PubSub*>e.pubsub
    if ps != NULL:
        free(ps.by_name.places)
        free(ps.by_pair.places)
        free(ps)
        e.pubsub = NULL

# ---------------------------------------------------------------- subscribing

cdef inline int64_t confirmed_count(const Session* s, int kind) noexcept nogil:
    return subscription_count(s, SHARD) if kind == SHARD \
        else <int64_t>subscription_count(s, CHANNEL) + subscription_count(s, PATTERN)

cdef void confirm(Session* s, const char* word, const char* name, size_t len, int64_t count) noexcept nogil:
    """Tell a session of its new number of subscriptions, even where CLIENT REPLY hides replies."""
    cdef Output aside
    cdef char[4096] room            # FORMAT_BYTES
    cdef bint muted = s.gate & (REPLY_OFF | REPLY_SKIP) != 0
    cdef Output* o = &aside if muted else &s.out
    if muted:
        begin_message(o, room, s.out.protocol)
    reply_push(o, 3)
    reply_text(o, word)
    if name != NULL:
        reply_bulk(o, name, len)
    else:
        reply_null(o)
    reply_int(o, count)
    if muted:
        session_push(s, o)
        output_free(o)

cdef Status subscribe_all(Session* s, int kind, const char* word) noexcept nogil:
    cdef uint32_t i
    for i in range(1, s.argc):
        if subscribe(s, kind, &s.argv[i]) != OK:
            return fail_status(s, NO_MEMORY)
        confirm(s, word, s.argv[i].ptr, s.argv[i].len, confirmed_count(s, kind))
    return OK

cdef Status unsubscribe_all(Session* s, int kind, const char* word) noexcept nogil:
    """Drop the subscriptions named, or without names all of the kind; nothing to drop is confirmed too."""
    cdef Subscriptions* own = <Subscriptions*>s.subscriptions
    cdef Slice* name
    cdef Topic* t
    cdef Link* link
    cdef uint32_t i
    for i in range(1, s.argc):
        name = &s.argv[i]
        t = find_topic(s.engine, kind, name)
        link = find_link(t, s) if t != NULL else NULL
        if link != NULL:
            unsubscribe(link)
        confirm(s, word, name.ptr, name.len, confirmed_count(s, kind))
    if s.argc == 1 and subscription_count(s, kind) == 0:
        confirm(s, word, NULL, 0, confirmed_count(s, kind))
    elif s.argc == 1:
        while own.counts[kind]:
            link = link_of_session(own.links[kind].next)
            # its name ends with it
            confirm(s, word, link.topic.name, link.topic.len, confirmed_count(s, kind) - 1)
            unsubscribe(link)
    leave_if_none(s)
    return OK

define("SUBSCRIBE", fn(cmd_subscribe), arity=-2, flags=PUBSUB | NOSCRIPT | LOADING | STALE | IN_SUBSCRIBE,
       group="pubsub", since="2.0.0", cost="O(N) for N channels", args="channel ...",
       summary="Receive the messages that are published to channels.")
cdef Status cmd_subscribe(Session* s) noexcept nogil:
    if s.flags & IS_INTERNAL:
        return fail(s, b"ERR SUBSCRIBE isn't allowed for a DENY BLOCKING client")
    if refuse_push(s):
        return FAILED
    return subscribe_all(s, CHANNEL, b"subscribe")

define("UNSUBSCRIBE", fn(cmd_unsubscribe), arity=-1, flags=PUBSUB | NOSCRIPT | LOADING | STALE | IN_SUBSCRIBE,
       group="pubsub", since="2.0.0", cost="O(N) for N channels", args="[channel ...]",
       summary="Receive no more messages from the channels given, or from any.")
cdef Status cmd_unsubscribe(Session* s) noexcept nogil:
    return unsubscribe_all(s, CHANNEL, b"unsubscribe")

define("PSUBSCRIBE", fn(cmd_psubscribe), arity=-2, flags=PUBSUB | NOSCRIPT | LOADING | STALE | IN_SUBSCRIBE,
       group="pubsub", since="2.0.0", cost="O(N) for N patterns", args="pattern ...",
       summary="Receive the messages of all channels whose names match glob-style patterns.")
cdef Status cmd_psubscribe(Session* s) noexcept nogil:
    if s.flags & IS_INTERNAL:
        return fail(s, b"ERR PSUBSCRIBE isn't allowed for a DENY BLOCKING client")
    if refuse_push(s):
        return FAILED
    return subscribe_all(s, PATTERN, b"psubscribe")

define("PUNSUBSCRIBE", fn(cmd_punsubscribe), arity=-1, flags=PUBSUB | NOSCRIPT | LOADING | STALE | IN_SUBSCRIBE,
       group="pubsub", since="2.0.0", cost="O(N) for N patterns", args="[pattern ...]",
       summary="Receive no more messages by the patterns given, or by any.")
cdef Status cmd_punsubscribe(Session* s) noexcept nogil:
    return unsubscribe_all(s, PATTERN, b"punsubscribe")

define("SSUBSCRIBE", fn(cmd_ssubscribe), arity=-2, flags=PUBSUB | NOSCRIPT | LOADING | STALE | IN_SUBSCRIBE,
       keys=KeySpec(1, -1, 1, "not_key"), group="pubsub", since="7.0.0", cost="O(N) for N shard channels",
       args="shardchannel ...", summary="Receive the messages that are published to shard channels.")
cdef Status cmd_ssubscribe(Session* s) noexcept nogil:
    if s.flags & (IS_INTERNAL | IN_EXEC):
        return fail(s, b"ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client")
    if refuse_push(s):
        return FAILED
    return subscribe_all(s, SHARD, b"ssubscribe")

define("SUNSUBSCRIBE", fn(cmd_sunsubscribe), arity=-1, flags=PUBSUB | NOSCRIPT | LOADING | STALE | IN_SUBSCRIBE,
       keys=KeySpec(1, -1, 1, "not_key"), group="pubsub", since="7.0.0", cost="O(N) for N shard channels",
       args="[shardchannel ...]", summary="Receive no more messages from the shard channels given, or from any.")
cdef Status cmd_sunsubscribe(Session* s) noexcept nogil:
    return unsubscribe_all(s, SHARD, b"sunsubscribe")

# ---------------------------------------------------------------- publishing and looking

define("PUBLISH", fn(cmd_publish), arity=3, flags=PUBSUB | LOADING | STALE | FAST | MAY_REPLICATE, group="pubsub",
       since="2.0.0", cost="O(N+M) for N subscribers of the channel and M patterns in all", args="channel message",
       summary="Send a message to a channel and reply with the number of receivers.")
cdef Status cmd_publish(Session* s) noexcept nogil:
    reply_int(&s.out, publish(s.engine, CHANNEL, &s.argv[1], &s.argv[2]))
    return OK

define("SPUBLISH", fn(cmd_spublish), arity=3, flags=PUBSUB | LOADING | STALE | FAST | MAY_REPLICATE,
       keys=KeySpec(1, 1, 1, "not_key"), group="pubsub", since="7.0.0", cost="O(N) for N subscribers",
       args="shardchannel message", summary="Send a message to a shard channel and reply with the number of receivers.")
cdef Status cmd_spublish(Session* s) noexcept nogil:
    reply_int(&s.out, publish(s.engine, SHARD, &s.argv[1], &s.argv[2]))
    return OK

define("PUBSUB", None, arity=-2, flags=0, group="pubsub", since="2.8.0", cost="that of the subcommand",
       summary="Show channels, patterns and their subscribers.")

cdef Status fail_usage(Session* s) noexcept nogil:
    cdef char text[256]
    snprintf(text, sizeof(text), b"ERR unknown subcommand or wrong number of arguments for '%.*s'. Try PUBSUB HELP.",
             <int>min(s.argv[1].len, <uint32_t>128), s.argv[1].ptr)
    return fail(s, text)

cdef inline bint is_listed(const Topic* t, const Slice* pattern) noexcept nogil:
    return pattern == NULL or glob_match(pattern.ptr, pattern.len, t.name, t.len, False)

cdef Status reply_topics(Session* s, int kind) noexcept nogil:
    """The names of a kind, filtered by the pattern that may follow the subcommand."""
    cdef PubSub* ps = <PubSub*>s.engine.pubsub
    cdef Slice* pattern = &s.argv[2] if s.argc == 3 else NULL
    cdef Ring* r
    cdef int64_t n = 0
    if s.argc > 3:
        return fail_usage(s)
    if ps == NULL:
        reply_array(&s.out, 0)
        return OK
    r = ps.topics[kind].next
    while r != &ps.topics[kind]:
        n += is_listed(<Topic*>r, pattern)
        r = r.next
    reply_array(&s.out, n)
    r = ps.topics[kind].next
    while r != &ps.topics[kind]:
        if is_listed(<Topic*>r, pattern):
            reply_bulk(&s.out, (<Topic*>r).name, (<Topic*>r).len)
        r = r.next
    return OK

cdef Status reply_subscribers(Session* s, int kind) noexcept nogil:
    """Pairs of a name given and its number of subscribers."""
    cdef Topic* t
    cdef uint32_t i
    reply_array(&s.out, <int64_t>(s.argc - 2) * 2)
    for i in range(2, s.argc):
        t = find_topic(s.engine, kind, &s.argv[i])
        reply_bulk(&s.out, s.argv[i].ptr, s.argv[i].len)
        reply_int(&s.out, t.subscribers if t != NULL else 0)
    return OK

define("PUBSUB CHANNELS", fn(cmd_pubsub_channels), arity=-2, flags=PUBSUB | LOADING | STALE, group="pubsub",
       since="2.8.0", cost="O(N) for N channels", args="[pattern]",
       summary="List the channels that have subscribers.")
cdef Status cmd_pubsub_channels(Session* s) noexcept nogil:
    return reply_topics(s, CHANNEL)

define("PUBSUB NUMSUB", fn(cmd_pubsub_numsub), arity=-2, flags=PUBSUB | LOADING | STALE, group="pubsub",
       since="2.8.0", cost="O(N) for N names", args="[channel ...]",
       summary="Count the subscribers of channels, patterns left aside.")
cdef Status cmd_pubsub_numsub(Session* s) noexcept nogil:
    return reply_subscribers(s, CHANNEL)

define("PUBSUB NUMPAT", fn(cmd_pubsub_numpat), arity=2, flags=PUBSUB | LOADING | STALE, group="pubsub",
       since="2.8.0", cost="O(1)", summary="Count the distinct patterns that have subscribers.")
cdef Status cmd_pubsub_numpat(Session* s) noexcept nogil:
    reply_int(&s.out, topic_count(s.engine, PATTERN))
    return OK

define("PUBSUB SHARDCHANNELS", fn(cmd_pubsub_shardchannels), arity=-2, flags=PUBSUB | LOADING | STALE, group="pubsub",
       since="7.0.0", cost="O(N) for N shard channels", args="[pattern]",
       summary="List the shard channels that have subscribers.")
cdef Status cmd_pubsub_shardchannels(Session* s) noexcept nogil:
    return reply_topics(s, SHARD)

define("PUBSUB SHARDNUMSUB", fn(cmd_pubsub_shardnumsub), arity=-2, flags=PUBSUB | LOADING | STALE, group="pubsub",
       since="7.0.0", cost="O(N) for N names", args="[shardchannel ...]",
       summary="Count the subscribers of shard channels.")
cdef Status cmd_pubsub_shardnumsub(Session* s) noexcept nogil:
    return reply_subscribers(s, SHARD)

define("PUBSUB HELP", fn(cmd_pubsub_help), arity=2, flags=LOADING | STALE, group="pubsub", since="6.2.0", cost="O(1)",
       summary="Explain the subcommands.")
cdef Status cmd_pubsub_help(Session* s) noexcept nogil:
    cdef Output* o = &s.out
    reply_array(o, 13)
    reply_simple(o, b"PUBSUB <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")
    reply_simple(o, b"CHANNELS [<pattern>]")
    reply_simple(o, b"    List the channels with subscribers, or those whose names match.")
    reply_simple(o, b"NUMPAT")
    reply_simple(o, b"    Count the distinct patterns.")
    reply_simple(o, b"NUMSUB [<channel> ...]")
    reply_simple(o, b"    Count each channel's subscribers.")
    reply_simple(o, b"SHARDCHANNELS [<pattern>]")
    reply_simple(o, b"    List the shard channels with subscribers, or those whose names match.")
    reply_simple(o, b"SHARDNUMSUB [<shardchannel> ...]")
    reply_simple(o, b"    Count each shard channel's subscribers.")
    reply_simple(o, b"HELP")
    reply_simple(o, b"    Show this text.")
    return OK

on_session_end(end_session)
