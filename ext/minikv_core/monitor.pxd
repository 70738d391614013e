# MONITOR, and which arguments are nobody's business.
from libc.stdint cimport uint32_t
from minikv_core.engine cimport Session

# Whether MONITOR and SLOWLOG must hide an argument of the request that runs: a password or user name.
cdef bint is_secret(const Session* s, uint32_t index) noexcept nogil
