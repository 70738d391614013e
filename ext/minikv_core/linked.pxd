# Rings and hash maps of structs in process memory, linked through members of those structs. Makes no module.
from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free

cdef enum:
    MAP_LEAST = 16          # places of the smallest map

cdef struct Ring:           # a member of a doubly linked ring, or its head
    Ring* next
    Ring* previous

cdef struct Node:           # a member of a Map
    Node*    chained
    uint64_t hash

cdef struct Map:            # chained hash map; all zero = empty
    Node**   places
    uint32_t room           # places: a power of two, or 0
    uint32_t count

cdef inline void ring_init(Ring* head) noexcept nogil:
    head.next = head.previous = head

cdef inline void ring_append(Ring* head, Ring* r) noexcept nogil:
    r.previous = head.previous
    r.next = head
    head.previous.next = r
    head.previous = r

cdef inline void ring_remove(Ring* r) noexcept nogil:
    r.previous.next = r.next
    r.next.previous = r.previous

cdef inline Node** map_place(const Map* m, uint64_t hash) noexcept nogil:
    return &m.places[hash & (m.room - 1)]

cdef inline bint map_resize(Map* m, uint32_t room) noexcept nogil:
    cdef Map resized
    cdef Node* node
    cdef Node* after
    cdef Node** place
    cdef uint32_t i
    resized.places = <Node**>calloc(room, sizeof(Node*))
    if resized.places == NULL:
        return False
    resized.room = room
    resized.count = m.count
    for i in range(m.room):
        node = m.places[i]
        while node != NULL:
            after = node.chained
            place = map_place(&resized, node.hash)
            node.chained = place[0]
            place[0] = node
            node = after
    free(m.places)
    m[0] = resized
    return True

cdef inline bint map_add(Map* m, Node* node) noexcept nogil:
    cdef Node** place
    if m.count >= m.room and not map_resize(m, m.room * 2 if m.room else <uint32_t>MAP_LEAST) and m.room == 0:
        return False
    place = map_place(m, node.hash)
    node.chained = place[0]
    place[0] = node
    m.count += 1
    return True

cdef inline void map_remove(Map* m, Node* node) noexcept nogil:
    cdef Node** place = map_place(m, node.hash)
    while place[0] != node:
        place = &place[0].chained
    place[0] = node.chained
    m.count -= 1
    if m.room > <uint32_t>MAP_LEAST and m.count * 8 < m.room:
        map_resize(m, m.room // 4)

cdef inline Node* map_chain(const Map* m, uint64_t hash) noexcept nogil:
    return map_place(m, hash)[0] if m.room else NULL
