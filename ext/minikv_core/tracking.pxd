# Client-side caching: which sessions want to know of changes to which keys.
#
# Redis tracks names, whatever their database; so does this.
from libc.stdint cimport int64_t, uint32_t, uint64_t
from minikv_core.engine cimport Engine, Session
from minikv_core.types cimport Slice, Status

cdef enum TrackingOption:
    TRACK_BCAST = 1 << 0        # all keys with one of the session's prefixes, and not those it has read
    TRACK_OPTIN = 1 << 1        # only what is read behind CLIENT CACHING YES
    TRACK_OPTOUT = 1 << 2       # not what is read behind CLIENT CACHING NO
    TRACK_NOLOOP = 1 << 3       # not what the session itself has changed
    TRACK_CACHING = 1 << 4      # CLIENT CACHING was said, for the next command
    TRACK_BROKEN = 1 << 5       # the session that messages were to go to was gone when one was due

# Called when an engine is made and when it is freed (after its sessions).
cdef void tracking_attach(Engine* e) noexcept nogil
cdef void tracking_release(Engine* e) noexcept nogil

# CLIENT TRACKING ON and OFF. The caller has checked that the options go together, and with those in force.
# to        session that gets the messages; NULL = s itself
# prefixes  of TRACK_BCAST, in addition to those in force
# returns   OK or NO_MEMORY
cdef Status tracking_start(Session* s, int options, Session* to, const Slice* prefixes, uint32_t count) noexcept nogil
cdef void tracking_stop(Session* s) noexcept nogil
cdef void tracking_cache(Session* s) noexcept nogil         # CLIENT CACHING

cdef int tracking_options(const Session* s) noexcept nogil  # TrackingOption bits; -1 = off
cdef int64_t tracking_redirect(const Session* s) noexcept nogil     # number of the session that gets the messages; 0 = this
# The session's prefix at a place, in no particular order; False = no more.
cdef bint tracking_prefix(const Session* s, uint32_t i, Slice* prefix) noexcept nogil

# For INFO: keys remembered, the same counted once for each session, and prefixes.
cdef uint32_t tracked_keys(const Engine* e) noexcept nogil
cdef uint32_t tracked_items(const Engine* e) noexcept nogil
cdef uint32_t tracked_prefixes(const Engine* e) noexcept nogil
cdef void tracking_limit(Engine* e) noexcept nogil          # after a change of tracking-table-max-keys
