# The request parser: RESP multibulk and inline requests out of bytes that may be cut anywhere.
#
# Sans I/O. parse_batch looks at unconsumed bytes, which begin where a request begins, and yields
# the whole requests in them, up to BATCH. Of a request that is not whole yet it keeps what it has
# understood (arguments as offsets from the request's first byte), so bytes are looked at once
# however they are cut. An argument of BIG_ARG bytes or more that is not all there yet gets an arena
# block, and the caller reads the rest straight into it (parser_big_room).
from libc.stddef cimport size_t
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from minikv_core.arena cimport Arena
from minikv_core.types cimport Ref, Slice

cdef enum:
    BATCH = 32              # requests that are parsed, hashed and prefetched together
    BIG_ARG = 32768         # bytes of an argument from which it is read into a block
    INLINE_MAX = 65536      # bytes of an unfinished inline request or count line
    BULK_MAX = 0xFFFFFF00   # bytes of an argument, whatever the limit says: lengths are 32-bit

cdef struct Request:
    uint32_t first          # index of its command name in Batch.slices
    uint32_t argc
    size_t   end            # offset behind its last byte in the bytes given
    void*    command        # for the session: the Command it names; NULL = unknown
    uint64_t hash           # for the session: hash of its first key

cdef struct Batch:          # one per engine, reused
    Request  requests[32]
    uint32_t count          # whole requests found
    Slice*   slices         # arguments of all of them; malloc'd, grows
    uint32_t used
    uint32_t room
    char     error[32]      # text of a violation that names a byte

cdef struct Limits:
    int64_t  bulk           # proto-max-bulk-len, bytes
    bint     authenticated  # else 10 arguments and 16384 bytes each

cdef struct Parser:         # what a session keeps of a request that is not whole; all zero = none
    int32_t  missing        # arguments still to come of the multibulk request in progress
    uint32_t looked         # bytes of an unfinished line that were searched for its end
    uint32_t argc           # arguments understood so far
    uint32_t room           # entries that fit in args
    Slice*   args           # malloc'd; ptr holds an offset from the request's first byte, unless block != 0
    size_t   scanned        # bytes of the request understood, without the line in progress
    int64_t  bulk           # missing > 0: length of the next argument; -1 = its header is not read
    Ref      big            # block of the big argument in progress
    uint32_t big_filled     # bytes of it that are there; its CRLF counts (big_filled <= bulk + 2)

cdef enum ParseStatus:
    PARSE_MORE = 0          # all whole requests are in the batch; the rest is not whole (or empty)
    PARSE_FULL = 1          # the batch is full; call again behind the last request's end
    PARSE_ERROR = 2         # behind the batch's requests is a violation, named in `error`; the input is over
    PARSE_NO_MEMORY = 3     # behind them comes a request that memory cannot hold; the input is over

cdef void parser_init(Parser* p) noexcept nogil
cdef void parser_free(Parser* p, Arena* arena) noexcept nogil
cdef bint batch_init(Batch* batch) noexcept nogil
cdef void batch_free(Batch* batch) noexcept nogil

# Parse the whole requests in bytes[0:n) into the batch (emptied first). Slices point into `bytes` or
# to blocks (ptr is always usable); a block in a slice belongs to the caller. Inline requests are
# unquoted in place. Then [begin, end) are the bytes to keep and to give again, with what follows
# them, as the start of the next call (empty if nothing is in progress; bytes of a big argument in
# progress have gone to its block). After PARSE_FULL begin is behind the last request and end is n.
# `error` is the text behind "-ERR Protocol error: ", valid until the next call with this batch.
# While the session is not authenticated a batch holds one request, as it may be AUTH.
cdef ParseStatus parse_batch(Parser* p, Arena* arena, const Limits* limits, char* bytes, size_t n,
                             Batch* batch, size_t* begin, size_t* end, const char** error) noexcept nogil

# Where the next bytes of a big argument belong, and how many of them. NULL if none is in progress or
# it is all there; then parse_batch with the bytes kept goes on with the request.
cdef char* parser_big_room(Parser* p, Arena* arena, size_t* n) noexcept nogil
cdef void parser_big_filled(Parser* p, size_t n) noexcept nogil
# Bytes that parser_unread would give back.
cdef size_t parser_big_bytes(const Parser* p) noexcept nogil
# Forget the request in progress; the bytes in its big argument's block are copied to `into` first:
# behind the bytes kept they make up the request again. For a request that started in the call
# before, as one behind a batch's requests did: it has no other block.
cdef void parser_unread(Parser* p, Arena* arena, char* into) noexcept nogil
