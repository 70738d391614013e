"""Geo: points on the earth, kept in sorted sets by their geohash.

A search looks at the score spans of up to nine cells that cover the shape (geohash.pyx), and at each
member in them. What it has found is sorted only if the reply's order or COUNT asks for it.
"""

from libc.math cimport fabs, llrint
from libc.stdint cimport INT64_MIN, int64_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport free, qsort, realloc
from libc.string cimport memset
from minikv_core.engine cimport *
from minikv_core.entry cimport Entry
from minikv_core.geohash cimport (
    GEO_CHARS, GEO_SPANS, Point, Shape, Span, geo_distance, geohash_decode, geohash_encode, geohash_text,
    point_valid, shape_holds, shape_spans,
)
from minikv_core.keyspace cimport Found, LOOK_READ, LOOK_WRITE, notify, signal_modified
from minikv_core.numbers cimport format_int, parse_double, parse_int
from minikv_core.output cimport Output
from minikv_core.registry cimport fn
from minikv_core.reply cimport reply_array, reply_bulk, reply_double, reply_int, reply_null, reply_null_array
from minikv_core.session cimport fail, fail_status, fail_syntax, is_word
from minikv_core.t_zset cimport (
    Scored, ScoredList, ZsetWalk, zset_exchange, zset_expect, zset_score, zset_seek_score, zset_walk_next,
)
from minikv_core.t_zset_shared cimport (
    compare_scored, drop_if_empty, find_zset, list_add_walked, list_free, store_result,
)
from minikv_core.types cimport *

from minikv_core.registry import KeySpec, KeyWord, define

cdef enum SearchKind:       # what a searching command is called with
    FROM_POINT = 1          # GEORADIUS
    FROM_MEMBER = 2         # GEORADIUSBYMEMBER
    TAKES_STORE = 4         # and the options STORE and STOREDIST
    BY_WORDS = 8            # GEOSEARCH, GEOSEARCHSTORE
    STORES = 16             # GEOSEARCHSTORE

cdef enum Order:
    UNSORTED = 0
    NEAREST = 1             # ASC
    FARTHEST = 2            # DESC

cdef struct Search:         # a search's arguments
    Shape    shape
    double   metres         # of a unit
    Order    order
    int64_t  count          # 0 = all
    bint     any            # the first `count` that are found
    bint     with_distance
    bint     with_hash
    bint     with_point
    bint     from_member
    bint     from_point
    bint     by_radius
    bint     by_box
    uint32_t target         # argument that names the key to store at; 0 = none
    bint     store_distance

cdef struct Near:           # a member found; its name is in the list of the same index
    double   distance       # metres
    uint64_t index

cdef struct Results:        # malloc'd
    ScoredList list
    Near*      near
    uint64_t   room

# ---------------------------------------------------------------- replies

cdef void reply_point(Output* o, const Point* p) noexcept nogil:
    reply_array(o, 2)
    reply_double(o, p.lon)
    reply_double(o, p.lat)


cdef void reply_distance(Output* o, double value) noexcept nogil:
    """A distance with four decimals, as a bulk string."""
    cdef char text[48]
    cdef int64_t scaled
    cdef uint32_t n
    if not value < 9e14:        # no distance on the earth in any unit
        n = <uint32_t>snprintf(text, sizeof(text), b"%.4f", value)
    else:
        scaled = llrint(value * 10000)
        n = format_int(text, scaled // 10000)
        n += <uint32_t>snprintf(text + n, sizeof(text) - n, b".%04d", <int>(scaled % 10000))
    reply_bulk(o, text, n)

# ---------------------------------------------------------------- arguments

cdef bint parse_point(Session* s, uint32_t at, Point* p) noexcept nogil:
    """Read a longitude and a latitude; False after an error reply."""
    cdef char text[800]
    if not parse_double(s.argv[at].ptr, s.argv[at].len, &p.lon) or \
            not parse_double(s.argv[at + 1].ptr, s.argv[at + 1].len, &p.lat):
        fail(s, b"ERR value is not a valid float")
        return False
    if not point_valid(p):
        snprintf(text, sizeof(text), b"ERR invalid longitude,latitude pair %f,%f", p.lon, p.lat)
        fail(s, text)
        return False
    return True


cdef bint parse_unit(Session* s, const Slice* arg, double* metres) noexcept nogil:
    """Read a unit as its length in metres; False after an error reply."""
    if is_word(arg, b"m"):
        metres[0] = 1
    elif is_word(arg, b"km"):
        metres[0] = 1000
    elif is_word(arg, b"ft"):
        metres[0] = 0.3048
    elif is_word(arg, b"mi"):
        metres[0] = 1609.34
    else:
        fail(s, b"ERR unsupported unit provided. please use M, KM, FT, MI")
        return False
    return True


cdef bint parse_radius(Session* s, uint32_t at, Search* search) noexcept nogil:
    """Read a radius and its unit; False after an error reply."""
    cdef double radius
    if not parse_double(s.argv[at].ptr, s.argv[at].len, &radius):
        fail(s, b"ERR need numeric radius")
        return False
    if radius < 0:
        fail(s, b"ERR radius cannot be negative")
        return False
    if not parse_unit(s, &s.argv[at + 1], &search.metres):
        return False
    search.by_radius = True
    search.shape.radius = radius * search.metres
    return True


cdef bint parse_box(Session* s, uint32_t at, Search* search) noexcept nogil:
    """Read a width, a height and their unit; False after an error reply."""
    cdef double width, height
    if not parse_double(s.argv[at].ptr, s.argv[at].len, &width):
        fail(s, b"ERR need numeric width")
        return False
    if not parse_double(s.argv[at + 1].ptr, s.argv[at + 1].len, &height):
        fail(s, b"ERR need numeric height")
        return False
    if width < 0 or height < 0:
        fail(s, b"ERR height or width cannot be negative")
        return False
    if not parse_unit(s, &s.argv[at + 2], &search.metres):
        return False
    search.by_box = search.shape.is_box = True
    search.shape.width = width * search.metres
    search.shape.height = height * search.metres
    return True


cdef bint member_point(Session* s, Entry* entry, uint32_t at, Search* search) noexcept nogil:
    """Search from a member of the set, if there is one; False after an error reply."""
    cdef double score
    search.from_member = True
    if entry == NULL:
        return True
    if not zset_score(s.engine, entry, &s.argv[at], &score):
        fail(s, b"ERR could not decode requested zset member")
        return False
    geohash_decode(score, &search.shape.center)
    return True


cdef int parse_words(Session* s, uint32_t at, int kind, Entry* entry, Search* search) noexcept nogil:
    """Read one option of a search at argv[at].

    returns  arguments that it takes; 0 = it is none; -1 after an error reply
    """
    cdef Slice* word = &s.argv[at]
    cdef uint32_t more = s.argc - at - 1
    if is_word(word, b"withdist"):
        search.with_distance = True
    elif is_word(word, b"withhash"):
        search.with_hash = True
    elif is_word(word, b"withcoord"):
        search.with_point = True
    elif is_word(word, b"any"):
        search.any = True
    elif is_word(word, b"asc"):
        search.order = NEAREST
    elif is_word(word, b"desc"):
        search.order = FARTHEST
    elif is_word(word, b"count") and more >= 1:
        if not parse_int(s.argv[at + 1].ptr, s.argv[at + 1].len, &search.count):
            fail_status(s, BAD_INT)
            return -1
        if search.count <= 0:
            fail(s, b"ERR COUNT must be > 0")
            return -1
        return 2
    elif kind & TAKES_STORE and more >= 1 and (is_word(word, b"store") or is_word(word, b"storedist")):
        search.target = at + 1
        search.store_distance = is_word(word, b"storedist")
        return 2
    elif kind & STORES and is_word(word, b"storedist"):
        search.store_distance = True
    elif kind & BY_WORDS == 0:
        return 0
    elif is_word(word, b"frommember") and more >= 1 and not search.from_point:
        return 2 if member_point(s, entry, at + 1, search) else -1
    elif is_word(word, b"fromlonlat") and more >= 2 and not search.from_member:
        search.from_point = True
        return 3 if parse_point(s, at + 1, &search.shape.center) else -1
    elif is_word(word, b"byradius") and more >= 2 and not search.by_box:
        return 3 if parse_radius(s, at + 1, search) else -1
    elif is_word(word, b"bybox") and more >= 3 and not search.by_radius:
        return 4 if parse_box(s, at + 1, search) else -1
    else:
        return 0
    return 1


cdef Status fail_choice(Session* s, const char* choice) noexcept nogil:
    """Say that one of two options must be there."""
    cdef char text[256]
    snprintf(text, sizeof(text), b"ERR exactly one of %s can be specified for %.*s", choice,
             <int>min(s.argv[0].len, <uint32_t>128), s.argv[0].ptr)
    return fail(s, text)


cdef Status parse_search(Session* s, int kind, Entry* entry, Search* search) noexcept nogil:
    """Read all arguments of a searching command; `entry` is the set, NULL if there is none."""
    cdef uint32_t at = 2
    cdef int taken
    memset(search, 0, sizeof(Search))
    if kind & FROM_POINT:
        if not parse_point(s, 2, &search.shape.center) or not parse_radius(s, 4, search):
            return FAILED
        at = 6
    elif kind & FROM_MEMBER:
        if entry != NULL and (not member_point(s, entry, 2, search) or not parse_radius(s, 3, search)):
            return FAILED
        at = 5
    elif kind & STORES:
        search.target = 1
        at = 3
    while at < s.argc:
        taken = parse_words(s, at, kind, entry, search)
        if taken < 0:
            return FAILED
        if taken == 0:
            return fail_syntax(s)
        at += <uint32_t>taken

    if search.target and (search.with_distance or search.with_hash or search.with_point):
        if kind & STORES:
            return fail(s, b"ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options")
        return fail(s, b"ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options")
    if kind & BY_WORDS and not (search.from_member or search.from_point):
        return fail_choice(s, b"FROMMEMBER or FROMLONLAT")
    if kind & BY_WORDS and not (search.by_radius or search.by_box):
        return fail_choice(s, b"BYRADIUS and BYBOX")
    if search.any and search.count == 0:
        return fail(s, b"ERR the ANY argument requires COUNT argument")
    if search.count and not search.any and search.order == UNSORTED:
        search.order = NEAREST      # COUNT means the nearest ones
    return OK

# ---------------------------------------------------------------- searching

cdef bint add_result(Results* r, ZsetWalk* w, const Slice* member, double score, double distance) noexcept nogil:
    """Keep a member that a walk has found; False = no memory."""
    cdef uint64_t n = r.list.count
    cdef Near* near
    if n == r.room:
        near = <Near*>realloc(r.near, (2 * n + 16) * sizeof(Near))
        if near == NULL:
            return False
        r.near = near
        r.room = 2 * n + 16
    r.near[n].distance = distance
    r.near[n].index = n
    return list_add_walked(&r.list, member, score, w, sizeof(ZsetWalk))


cdef bint search_set(Engine* e, Entry* entry, const Search* search, Results* r) noexcept nogil:
    """Find the members within a shape; False = no memory."""
    cdef Span spans[GEO_SPANS]
    cdef ZsetWalk w
    cdef Slice member
    cdef Point p
    cdef double score, distance
    cdef uint32_t i
    for i in range(shape_spans(&search.shape, spans)):
        zset_seek_score(e, entry, spans[i].min, False, &w)
        while zset_walk_next(&w, &member, &score) and score < spans[i].max:
            geohash_decode(score, &p)
            if shape_holds(&search.shape, &p, &distance):
                if not add_result(r, &w, &member, score, distance):
                    return False
                if search.any and r.list.count >= <uint64_t>search.count:
                    return True
    return True


cdef int nearer(const void* a, const void* b) noexcept nogil:
    cdef const Near* x = <const Near*>a
    cdef const Near* y = <const Near*>b
    if x.distance != y.distance:
        return -1 if x.distance < y.distance else 1
    return -1 if x.index < y.index else 1


cdef int farther(const void* a, const void* b) noexcept nogil:
    cdef const Near* x = <const Near*>a
    cdef const Near* y = <const Near*>b
    if x.distance != y.distance:
        return -1 if x.distance > y.distance else 1
    return -1 if x.index < y.index else 1


cdef int by_score(const void* a, const void* b) noexcept nogil:
    return compare_scored(<const Scored*>a, <const Scored*>b)


cdef void reply_results(Session* s, const Search* search, const Results* r, uint64_t count) noexcept nogil:
    cdef Output* o = &s.out
    cdef int extras = search.with_distance + search.with_hash + search.with_point
    cdef const Scored* found
    cdef Point p
    cdef uint64_t i
    reply_array(o, <int64_t>count)
    for i in range(count):
        found = &r.list.items[r.near[i].index]
        if extras:
            reply_array(o, 1 + extras)
        reply_bulk(o, found.ptr, found.len)
        if search.with_distance:
            reply_distance(o, r.near[i].distance / search.metres)
        if search.with_hash:
            reply_int(o, <int64_t>found.score if fabs(found.score) < 9.2e18 else INT64_MIN)
        if search.with_point:
            geohash_decode(found.score, &p)
            reply_point(o, &p)


cdef Status store_results(Session* s, int kind, const Search* search, Results* r, uint64_t count) noexcept nogil:
    """Store what was found as a sorted set, by geohash or by distance."""
    cdef ScoredList list
    cdef Status status
    cdef uint64_t i
    memset(&list, 0, sizeof(list))
    list.items = <Scored*>realloc(NULL, (count + 1) * sizeof(Scored))
    if list.items == NULL:
        return fail_status(s, NO_MEMORY)
    list.room = count + 1
    list.count = count
    for i in range(count):
        list.items[i] = r.list.items[r.near[i].index]
        if search.store_distance:
            list.items[i].score = r.near[i].distance / search.metres
    qsort(list.items, count, sizeof(Scored), by_score)
    status = store_result(s, search.target, &list, b"geosearchstore" if kind & BY_WORDS else b"georadiusstore")
    list_free(&list)
    return status


cdef Status search_and_reply(Session* s, int kind) noexcept nogil:
    cdef Results r
    cdef Search search
    cdef Found f
    cdef Status status = OK
    cdef uint64_t count
    if find_zset(s, 2 if kind & STORES else 1, LOOK_READ, &f) == FAILED or \
            parse_search(s, kind, f.entry, &search) != OK:
        return FAILED
    memset(&r, 0, sizeof(r))
    if f.entry != NULL and not search_set(s.engine, f.entry, &search, &r):
        status = fail_status(s, NO_MEMORY)
    else:
        count = r.list.count
        if search.order != UNSORTED and count:
            qsort(r.near, count, sizeof(Near), nearer if search.order == NEAREST else farther)
        if search.count:
            count = min(count, <uint64_t>search.count)
        if search.target:
            status = store_results(s, kind, &search, &r, count)
        else:
            reply_results(s, &search, &r, count)
    list_free(&r.list)
    free(r.near)
    return status

# ---------------------------------------------------------------- commands

define("GEOADD", fn(cmd_geoadd), arity=-5, flags=WRITE | DENYOOM, keys=KeySpec(1, 1, 1, "RW update"), group="geo",
       since="3.2.0", cost="O(log N) for each member, N of them being in the set",
       args="key [NX|XX] [CH] longitude latitude member [longitude latitude member ...]",
       summary="Adds members with their longitudes and latitudes, or moves them.",
       history=(("6.2.0", "Options `CH`, `NX` and `XX`."),))
cdef Status cmd_geoadd(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Slice* key = &s.argv[1]
    cdef Point p
    cdef Found f
    cdef uint32_t at = 2, i, longest = 0
    cdef uint64_t added = 0, changed = 0
    cdef bint nx = False, xx = False, ch = False, fresh, exists
    cdef double score, had
    cdef Status status = OK
    while at < s.argc:
        if is_word(&s.argv[at], b"nx"):
            nx = True
        elif is_word(&s.argv[at], b"xx"):
            xx = True
        elif is_word(&s.argv[at], b"ch"):
            ch = True
        else:
            break
        at += 1
    if at == s.argc or (s.argc - at) % 3 or (nx and xx):
        return fail_syntax(s)
    for i in range(at, s.argc, 3):
        if not parse_point(s, i, &p):
            return FAILED
        longest = max(longest, s.argv[i + 2].len)
    if find_zset(s, 1, LOOK_WRITE, &f) == FAILED:
        return FAILED

    fresh = f.entry == NULL
    if not (fresh and xx):
        if fresh:
            status = zset_expect(e, s.db, key, &f, (s.argc - at) // 3, longest)
        for i in range(at, s.argc, 3):
            if status == NO_MEMORY:
                break
            if nx or xx:
                exists = f.entry != NULL and zset_score(e, f.entry, &s.argv[i + 2], &had)
                if exists == nx:
                    continue
            parse_point(s, i, &p)
            score = <double>geohash_encode(&p)
            status = zset_exchange(e, s.db, key, &f, &s.argv[i + 2], score, &had)
            if status == OK:
                added += 1
            elif status == EXISTS and had != score:
                changed += 1
    if added or changed:
        signal_modified(e, s.db, key, s.hash)
        if fresh:
            notify(e, EVENT_NEW, b"new", key, s.db)
        notify(e, EVENT_ZSET, b"zadd", key, s.db)
    if status == NO_MEMORY:
        if fresh and f.entry != NULL:
            drop_if_empty(s, key, &f)
        return fail_status(s, NO_MEMORY)
    reply_int(&s.out, <int64_t>(added + changed if ch else added))
    return OK


define("GEOPOS", fn(cmd_geopos), arity=-2, flags=READONLY, keys=KeySpec(1, 1, 1, "RO access"), group="geo",
       since="3.2.0", cost="O(1) for each member", args="key [member ...]",
       summary="Returns the longitudes and latitudes of members.")
cdef Status cmd_geopos(Session* s) noexcept nogil:
    cdef Found f
    cdef Point p
    cdef double score
    cdef uint32_t i
    if find_zset(s, 1, LOOK_READ, &f) == FAILED:
        return FAILED
    reply_array(&s.out, s.argc - 2)
    for i in range(2, s.argc):
        if f.entry != NULL and zset_score(s.engine, f.entry, &s.argv[i], &score):
            geohash_decode(score, &p)
            reply_point(&s.out, &p)
        else:
            reply_null_array(&s.out)
    return OK


define("GEODIST", fn(cmd_geodist), arity=-4, flags=READONLY, keys=KeySpec(1, 1, 1, "RO access"), group="geo",
       since="3.2.0", cost="O(1)", args="key member1 member2 [M|KM|FT|MI]",
       summary="Returns the distance between two members.")
cdef Status cmd_geodist(Session* s) noexcept nogil:
    cdef Found f
    cdef Point a, b
    cdef double score, other, metres = 1
    if s.argc > 5:
        return fail_syntax(s)
    if s.argc == 5 and not parse_unit(s, &s.argv[4], &metres):
        return FAILED
    if find_zset(s, 1, LOOK_READ, &f) == FAILED:
        return FAILED
    if f.entry == NULL or not zset_score(s.engine, f.entry, &s.argv[2], &score) or \
            not zset_score(s.engine, f.entry, &s.argv[3], &other):
        reply_null(&s.out)
        return OK
    geohash_decode(score, &a)
    geohash_decode(other, &b)
    reply_distance(&s.out, geo_distance(&a, &b) / metres)
    return OK


define("GEOHASH", fn(cmd_geohash), arity=-2, flags=READONLY, keys=KeySpec(1, 1, 1, "RO access"), group="geo",
       since="3.2.0", cost="O(1) for each member", args="key [member ...]",
       summary="Returns the geohashes of members as text.")
cdef Status cmd_geohash(Session* s) noexcept nogil:
    cdef char text[GEO_CHARS]
    cdef Found f
    cdef Point p
    cdef double score
    cdef uint32_t i
    if find_zset(s, 1, LOOK_READ, &f) == FAILED:
        return FAILED
    reply_array(&s.out, s.argc - 2)
    for i in range(2, s.argc):
        if f.entry != NULL and zset_score(s.engine, f.entry, &s.argv[i], &score):
            geohash_decode(score, &p)
            geohash_text(&p, text)
            reply_bulk(&s.out, text, GEO_CHARS)
        else:
            reply_null(&s.out)
    return OK


SEARCH_COST = "O(N + log M), N being the members in the cells that cover the shape, M those in the set"
FROM = "<FROMMEMBER member|FROMLONLAT longitude latitude> "
SHAPE = "<BYRADIUS radius <M|KM|FT|MI>|BYBOX width height <M|KM|FT|MI>> "
WITH = "[WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC|DESC]"

define("GEOSEARCH", fn(cmd_geosearch), arity=-7, flags=READONLY, keys=KeySpec(1, 1, 1, "RO access"), group="geo",
       since="6.2.0", cost=SEARCH_COST,
       args="key " + FROM + SHAPE + "[ASC|DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]",
       history=(("7.0.0", "Upper-case units."),),
       summary="Returns the members within a circle or a box.")
cdef Status cmd_geosearch(Session* s) noexcept nogil:
    return search_and_reply(s, BY_WORDS)


define("GEOSEARCHSTORE", fn(cmd_geosearchstore), arity=-8, flags=WRITE | DENYOOM,
       keys=(KeySpec(1, 1, 1, "OW update"), KeySpec(2, 2, 1, "RO access")), group="geo", since="6.2.0",
       cost=SEARCH_COST, args="destination source " + FROM + SHAPE + "[ASC|DESC] [COUNT count [ANY]] [STOREDIST]",
       history=(("7.0.0", "Upper-case units."),),
       summary="Stores the members within a circle or a box as another sorted set; returns how many.")
cdef Status cmd_geosearchstore(Session* s) noexcept nogil:
    return search_and_reply(s, BY_WORDS | STORES)


define("GEORADIUS", fn(cmd_georadius), arity=-6, flags=WRITE | DENYOOM,
       keys=(KeySpec(1, 1, 1, "RO access"), KeyWord("STORE", 6, flags="OW update"),
             KeyWord("STOREDIST", 6, flags="OW update")), group="geo", since="3.2.0", cost=SEARCH_COST,
       args="key longitude latitude radius <M|KM|FT|MI> " + WITH + " [STORE storekey|STOREDIST storedistkey]",
       history=(("6.2.0", "Option `ANY` of `COUNT`."), ("7.0.0", "Upper-case units.")),
       summary="Returns or stores the members within a circle around a point.",
       deprecated_since="6.2.0", replaced_by="`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument")
cdef Status cmd_georadius(Session* s) noexcept nogil:
    return search_and_reply(s, FROM_POINT | TAKES_STORE)


define("GEORADIUS_RO", fn(cmd_georadius_ro), arity=-6, flags=READONLY, keys=KeySpec(1, 1, 1, "RO access"),
       group="geo", since="3.2.10", cost=SEARCH_COST,
       args="key longitude latitude radius <M|KM|FT|MI> " + WITH,
       history=(("6.2.0", "Option `ANY` of `COUNT`."),),
       summary="Returns the members within a circle around a point.",
       deprecated_since="6.2.0", replaced_by="`GEOSEARCH` with the `BYRADIUS` argument")
cdef Status cmd_georadius_ro(Session* s) noexcept nogil:
    return search_and_reply(s, FROM_POINT)


define("GEORADIUSBYMEMBER", fn(cmd_georadiusbymember), arity=-5, flags=WRITE | DENYOOM,
       keys=(KeySpec(1, 1, 1, "RO access"), KeyWord("STORE", 5, flags="OW update"),
             KeyWord("STOREDIST", 5, flags="OW update")), group="geo", since="3.2.0", cost=SEARCH_COST,
       args="key member radius <M|KM|FT|MI> " + WITH + " [STORE storekey|STOREDIST storedistkey]",
       history=(("6.2.0", "Option `ANY` of `COUNT`."), ("7.0.0", "Upper-case units.")),
       summary="Returns or stores the members within a circle around a member.",
       deprecated_since="6.2.0",
       replaced_by="`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments")
cdef Status cmd_georadiusbymember(Session* s) noexcept nogil:
    return search_and_reply(s, FROM_MEMBER | TAKES_STORE)


define("GEORADIUSBYMEMBER_RO", fn(cmd_georadiusbymember_ro), arity=-5, flags=READONLY,
       keys=KeySpec(1, 1, 1, "RO access"), group="geo", since="3.2.10", cost=SEARCH_COST,
       args="key member radius <M|KM|FT|MI> " + WITH,
       summary="Returns the members within a circle around a member.",
       deprecated_since="6.2.0",
       replaced_by="`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments")
cdef Status cmd_georadiusbymember_ro(Session* s) noexcept nogil:
    return search_and_reply(s, FROM_MEMBER)
