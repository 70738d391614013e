# The command table: one row a command, declared on top of its function.
#
#   define("APPEND", fn(cmd_append), arity=3, flags=WRITE | DENYOOM | FAST, keys=KeySpec(1, 1, 1),
#          group="string", since="2.0.0", cost="O(1)", args="key value",
#          summary="Add bytes to the end of a string, creating it if missing.")
#   cdef Status cmd_append(Session* s) noexcept nogil: ...
#
# A subcommand's name has two words: define("OBJECT ENCODING", ...). Its container is made on the fly.
from libc.stdint cimport uint32_t, uint64_t
from minikv_core.engine cimport Command, CommandFn
from minikv_core.memory cimport load_u16, load_u32
from minikv_core.types cimport Slice

cdef enum:
    MAX_COMMANDS = 4096         # with subcommands; engines hold a row of counters for each

cdef inline object fn(CommandFn function):
    """A C function as something that define() takes."""
    return <size_t><void*>function

cdef inline uint64_t name_word(const char* p, uint32_t n) noexcept nogil:
    """First and last bytes of a name as one word; distinct for distinct names of up to 8 bytes."""
    if n >= 8:
        return (<uint64_t>load_u32(p) | (<uint64_t>load_u32(p + 4) << 32)) ^ (<uint64_t>load_u32(p + n - 4) << 8)
    if n >= 4:
        return <uint64_t>load_u32(p) | (<uint64_t>load_u32(p + n - 4) << 32)
    if n >= 2:
        return <uint64_t>load_u16(p) | (<uint64_t>load_u16(p + n - 2) << 16)
    return <uint64_t><unsigned char>p[0] if n else 0

cdef struct Lookup:             # replaced as a whole when commands are added; old ones stay valid
    uint64_t  multiplier        # name_word (case folded) * multiplier >> shift = place; no two commands share one
    int       shift
    Command** places

# The command that argv names (a container's subcommand where argv[1] names one); NULL = unknown.
cdef Command* find_command(Slice* argv, uint32_t argc) noexcept nogil
cdef uint32_t command_count() noexcept nogil
cdef void set_python_runner(CommandFn runner) noexcept
