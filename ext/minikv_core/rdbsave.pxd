# Values of every kind written in the RDB format.
from minikv_core.engine cimport Engine
from minikv_core.entry cimport Entry
from minikv_core.rdb cimport Writer

# Write an entry's value behind its RdbType. Returns the RdbVersion that a reader must know of; 0 = there is
# nothing to write, since all fields of the hash have expired.
cdef int save_value(Engine* e, Entry* entry, Writer* w) noexcept nogil
