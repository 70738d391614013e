# Expiry times as commands take them: EX, PX, EXAT and PXAT, and the EXPIRE family's arguments.
from libc.stdint cimport int64_t
from minikv_core.engine cimport Session
from minikv_core.types cimport Slice, Status

cdef enum ExpiryUnit:
    NO_UNIT = 0             # not a word that an expiry follows
    SECONDS = 1             # EX: from now
    MILLIS = 2              # PX
    AT_SECONDS = 3          # EXAT: Unix time
    AT_MILLIS = 4           # PXAT

# The unit that an option word names: EX, PX, EXAT or PXAT in any case; else NO_UNIT.
cdef ExpiryUnit expiry_unit(const Slice* word) noexcept nogil

# Turn an argument into Unix time in ms; FAILED after an error reply. With `past_ok` (the EXPIRE
# family) zero and negative numbers are times like any other, and the result may be negative.
cdef Status parse_expiry(Session* s, const Slice* arg, ExpiryUnit unit, bint past_ok, int64_t* at_ms) noexcept nogil
