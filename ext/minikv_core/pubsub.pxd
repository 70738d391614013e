# Publish and subscribe: who listens to which channel, pattern or shard channel of an engine.
from libc.stdint cimport int64_t, uint32_t
from minikv_core.engine cimport Engine, Session
from minikv_core.types cimport Slice

cdef enum:                  # kinds of topics
    CHANNEL = 0             # SUBSCRIBE
    PATTERN = 1             # PSUBSCRIBE
    SHARD = 2               # SSUBSCRIBE: a namespace of its own
    TOPIC_KINDS = 3

# Called when an engine is made and when it is freed (after its sessions).
cdef void pubsub_attach(Engine* e) noexcept nogil
cdef void pubsub_release(Engine* e) noexcept nogil

# Send a message to a CHANNEL or SHARD channel; returns how many subscriptions got it.
cdef int64_t publish(Engine* e, int kind, const Slice* channel, const Slice* message) noexcept nogil

# For INFO and CLIENT LIST: names with subscribers, and names that a session subscribes to.
cdef uint32_t topic_count(const Engine* e, int kind) noexcept nogil
cdef uint32_t subscription_count(const Session* s, int kind) noexcept nogil
