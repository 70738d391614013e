# The request parser; parser.pxd holds the contract.
#
# A request is read from the front, part by part: its first line, then argument by argument. The
# plain case of a part (a short number, all bytes there) is inline in parse_request and read_args;
# read_count and next_arg take every case and know all violations.
#
# A request that starts in the bytes given collects its arguments in the batch, as pointers. If it
# is not whole they move to the parser, as offsets, and the arguments that follow join them there.
from libc.stddef cimport size_t
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, realloc
from libc.string cimport memchr, memcpy, memset

from minikv_core.arena cimport arena_alloc, arena_at, arena_check, arena_close, arena_free, arena_open
from minikv_core.entry cimport BLOCK_HEADER, Block
from minikv_core.memory cimport likely, unlikely
from minikv_core.numbers cimport parse_int
from minikv_core.types cimport OK

cdef enum:
    STEP_DONE = -1          # beside the values of ParseStatus: this part is whole, go on
    BATCH_ROOM = 4096       # slices that a batch keeps from call to call
    ARGS_ROOM = 16          # slices in the first allocation of Parser.args
    COUNT_MAX = 0x7FFFFFFF
    NOAUTH_COUNT = 10
    NOAUTH_BULK = 16384

cdef struct Cursor:         # one call of parse_batch
    Parser*       p
    Arena*        arena
    const Limits* limits
    Batch*        batch
    char*         bytes
    char*         pos       # first byte that is not understood
    char*         stop
    uint32_t      count_max   # above it read_count knows the violation
    int64_t       bulk_max  # above it next_arg knows the violation
    const char*   error


cdef void parser_init(Parser* p) noexcept nogil:
    memset(p, 0, sizeof(Parser))


cdef void parser_free(Parser* p, Arena* arena) noexcept nogil:
    """Forget the request in progress and free its blocks; the parser is as new."""
    cdef uint32_t i
    for i in range(p.argc):
        if p.args[i].block:
            arena_free(arena, p.args[i].block)
    if p.big:
        arena_free(arena, p.big)
    free(p.args)
    parser_init(p)


cdef bint batch_init(Batch* batch) noexcept nogil:
    memset(batch, 0, sizeof(Batch))
    return resize(&batch.slices, &batch.room, BATCH_ROOM)


cdef void batch_free(Batch* batch) noexcept nogil:
    free(batch.slices)
    memset(batch, 0, sizeof(Batch))


cdef bint resize(Slice** items, uint32_t* room, uint32_t new_room) noexcept nogil:
    cdef Slice* moved = <Slice*>realloc(items[0], <size_t>new_room * sizeof(Slice))
    if moved == NULL:
        return False
    items[0] = moved
    room[0] = new_room
    return True


cdef ParseStatus parse_batch(Parser* p, Arena* arena, const Limits* limits, char* bytes, size_t n,
                             Batch* batch, size_t* begin, size_t* end, const char** error) noexcept nogil:
    cdef Cursor c
    cdef char* start = bytes        # of the request being read
    cdef uint32_t most = BATCH if limits.authenticated else 1
    cdef int step = STEP_DONE
    c.p = p
    c.arena = arena
    c.limits = limits
    c.batch = batch
    c.bytes = bytes
    c.pos = bytes
    c.stop = bytes + n
    c.count_max = COUNT_MAX if limits.authenticated else NOAUTH_COUNT
    c.bulk_max = min(limits.bulk, <int64_t>BULK_MAX if limits.authenticated else <int64_t>NOAUTH_BULK)
    c.error = NULL
    batch.count = 0
    batch.used = 0
    if unlikely(batch.room > BATCH_ROOM):
        resize(&batch.slices, &batch.room, BATCH_ROOM)
    if p.missing:
        step = resume_request(&c)
        if step == STEP_DONE:
            start = c.pos
    while step == STEP_DONE:
        if start == c.stop:
            step = PARSE_MORE
        elif batch.count == most:
            step = PARSE_FULL
        else:
            c.pos = start
            step = parse_request(&c)
            if step == STEP_DONE:
                start = c.pos
    begin[0] = <size_t>(start - bytes)
    end[0] = <size_t>(c.pos - bytes) if p.big else n
    error[0] = c.error
    if step == PARSE_ERROR or step == PARSE_NO_MEMORY:
        parser_free(p, arena)
    return <ParseStatus>step


cdef int parse_request(Cursor* c) noexcept nogil:
    """Read a request from its first byte; add it to the batch if it is whole and not empty."""
    cdef Parser* p = c.p
    cdef Batch* batch = c.batch
    cdef char* start = c.pos
    cdef char* pos = NULL
    cdef uint32_t count = 0, first = batch.used
    cdef int step
    if start[0] != c'*':
        step = read_inline(c)
    else:
        if likely(p.looked == 0):
            pos = short_number(start + 1, c.stop, &count)
        if likely(pos != NULL and count <= c.count_max):
            p.missing = <int32_t>count
            c.pos = pos
        else:
            step = read_count(c)
            if step != STEP_DONE or p.missing == 0:
                return step
        p.bulk = -1
        step = read_args(c, 0, &batch.slices, &batch.used, &batch.room)
        if step == PARSE_MORE:
            step = keep_args(c, start, first)
    if likely(step == STEP_DONE):
        add_request(c, first)
    else:
        batch.used = first
    return step


cdef void add_request(Cursor* c, uint32_t first) noexcept nogil:
    """Add the request whose arguments are the batch's slices from `first` on, if there are any."""
    cdef Batch* batch = c.batch
    cdef Request* r = &batch.requests[batch.count]
    if likely(batch.used > first):
        r.first = first
        r.argc = batch.used - first
        r.end = <size_t>(c.pos - c.bytes)
        batch.count += 1


cdef int keep_args(Cursor* c, char* start, uint32_t first) noexcept nogil:
    """Move the arguments of a request that is not whole from the batch to the parser."""
    cdef Parser* p = c.p
    cdef Batch* batch = c.batch
    cdef Slice* slices = batch.slices + first
    cdef uint32_t count = batch.used - first, i
    if count:
        if not resize(&p.args, &p.room, max(<uint32_t>ARGS_ROOM, count)):
            return PARSE_NO_MEMORY
        memcpy(p.args, slices, <size_t>count * sizeof(Slice))
        for i in range(count):
            p.args[i].ptr = <char*><size_t>(slices[i].ptr - start)
    p.argc = count
    p.scanned = <size_t>(c.pos - start)
    return PARSE_MORE


cdef int resume_request(Cursor* c) noexcept nogil:
    """Go on with a multibulk request whose first bytes came in an earlier call."""
    cdef Parser* p = c.p
    cdef Batch* batch = c.batch
    cdef Slice* s
    cdef uint32_t i
    cdef int step
    c.pos = c.bytes + p.scanned
    step = read_args(c, <size_t>c.bytes, &p.args, &p.argc, &p.room)
    p.scanned = <size_t>(c.pos - c.bytes)
    if step != STEP_DONE:
        return step
    if p.argc > batch.room and not resize(&batch.slices, &batch.room, p.argc):
        return PARSE_NO_MEMORY
    memcpy(batch.slices, p.args, <size_t>p.argc * sizeof(Slice))
    for i in range(p.argc):
        s = &batch.slices[i]
        s.ptr = arena_at(c.arena, s.block) + BLOCK_HEADER if s.block else c.bytes + <size_t>s.ptr
    batch.used = p.argc
    add_request(c, 0)
    free(p.args)                        # an idle session holds no memory
    parser_init(p)
    return STEP_DONE


cdef inline char* short_number(char* p, char* stop, uint32_t* value) noexcept nogil:
    """Read a count of one to nine digits with its line end, as every client writes them.

    p        behind '*' or '$'
    returns  the byte behind the line end; NULL if the number is 0, longer, not plain or cut off
    """
    cdef uint32_t n, digit
    if unlikely(p >= stop):
        return NULL
    n = <uint8_t>(p[0] - c'0')
    if unlikely(n - 1 > 8):
        return NULL
    p += 1
    while p < stop and p[0] != c'\r':
        digit = <uint8_t>(p[0] - c'0')
        if unlikely(digit > 9 or n >= 100000000):
            return NULL
        n = n * 10 + digit
        p += 1
    if unlikely(stop - p < 2):
        return NULL
    value[0] = n
    return p + 2


cdef int read_args(Cursor* c, size_t base, Slice** items, uint32_t* used, uint32_t* room) noexcept nogil:
    """Read arguments from c.pos on until the request has them all.

    base   address that the slices' pointers are counted from
    items  array that takes them, with its fill and its room; grows
    """
    cdef Parser* p = c.p
    cdef char* pos = c.pos
    cdef char* stop = c.stop
    cdef char* data
    cdef int64_t bulk_max = c.bulk_max
    cdef uint32_t length = 0
    cdef int32_t missing = p.missing
    cdef Slice* s = items[0] + used[0]
    cdef Slice* full = items[0] + room[0]
    cdef int step = STEP_DONE
    while True:
        if unlikely(s == full):
            used[0] = <uint32_t>(s - items[0])
            if not resize(items, room, max(<uint32_t>ARGS_ROOM, 2 * used[0])):
                step = PARSE_NO_MEMORY
                break
            s = items[0] + used[0]
            full = items[0] + room[0]
        data = NULL
        if likely(p.bulk < 0 and p.looked == 0 and pos < stop and pos[0] == c'$'):
            data = short_number(pos + 1, stop, &length)
        if likely(data != NULL and length <= bulk_max and stop - data >= <int64_t>length + 2):
            s.ptr = <char*>(<size_t>data - base)
            s.len = length
            s.block = 0
            pos = data + length + 2
        else:
            c.pos = pos
            step = next_arg(c, s)
            pos = c.pos
            if step != STEP_DONE:
                break
            if s.block == 0:
                s.ptr = <char*>(<size_t>s.ptr - base)
        s += 1
        missing -= 1
        if missing == 0:
            break
    p.missing = missing
    used[0] = <uint32_t>(s - items[0])
    c.pos = pos
    return step


cdef int next_arg(Cursor* c, Slice* arg) noexcept nogil:
    """Read the argument at c.pos, or the rest of it, in whatever state it is."""
    cdef Parser* p = c.p
    cdef char* line_end = NULL
    cdef int64_t n = 0
    cdef int step
    if p.bulk < 0:
        step = find_line_end(c, c'\r', b"too big bulk count string", &line_end)
        if step != STEP_DONE:
            return step
        if c.pos[0] != c'$':
            return wrong_byte(c, c.pos[0])
        if (not parse_int(c.pos + 1, <size_t>(line_end - c.pos - 1), &n) or n < 0
                or n > c.limits.bulk or n > <int64_t>BULK_MAX):
            return violation(c, b"invalid bulk length")
        if n > NOAUTH_BULK and not c.limits.authenticated:
            return violation(c, b"unauthenticated bulk length")
        p.bulk = n
        c.pos = line_end + 2
    if p.big or (p.bulk >= BIG_ARG and c.arena.undo == NULL and c.stop - c.pos < p.bulk + 2):
        return read_big(c, arg)
    if c.stop - c.pos < p.bulk + 2:
        return PARSE_MORE
    arg.ptr = c.pos
    arg.len = <uint32_t>p.bulk
    arg.block = 0
    c.pos += p.bulk + 2             # what stands in place of CRLF is not looked at, as in Redis
    p.bulk = -1
    return STEP_DONE


cdef int read_big(Cursor* c, Slice* arg) noexcept nogil:
    """Move what is there of a big argument to its block; c.pos stays in front of it until it is whole."""
    cdef Parser* p = c.p
    cdef char* room
    cdef size_t n = 0
    if p.big == 0:
        p.big = arena_alloc(c.arena, <size_t>p.bulk + 2 + BLOCK_HEADER)
        if p.big == 0:
            return PARSE_NO_MEMORY
        (<Block*>arena_at(c.arena, p.big)).holders = 1
        (<Block*>arena_at(c.arena, p.big)).length = <uint32_t>p.bulk
        p.big_filled = 0
    room = parser_big_room(p, c.arena, &n)
    if room != NULL:
        n = min(n, <size_t>(c.stop - c.pos))
        memcpy(room, c.pos, n)
        p.big_filled += <uint32_t>n
        if p.big_filled < p.bulk + 2:
            return PARSE_MORE
        c.pos += n
    arg.ptr = NULL                  # known when the request is whole
    arg.len = <uint32_t>p.bulk
    arg.block = p.big
    p.big = 0
    p.bulk = -1
    return STEP_DONE


cdef int read_count(Cursor* c) noexcept nogil:
    """Read the first line of a multibulk request into Parser.missing; 0 = an empty request."""
    cdef char* line_end = NULL
    cdef int64_t n = 0
    cdef int step = find_line_end(c, c'\r', b"too big mbulk count string", &line_end)
    if step != STEP_DONE:
        return step
    if not parse_int(c.pos + 1, <size_t>(line_end - c.pos - 1), &n) or n > COUNT_MAX:
        return violation(c, b"invalid multibulk length")
    if n > NOAUTH_COUNT and not c.limits.authenticated:
        return violation(c, b"unauthenticated multibulk length")
    c.p.missing = <int32_t>max(n, <int64_t>0)
    c.pos = line_end + 2
    return STEP_DONE


cdef int find_line_end(Cursor* c, char mark, const char* too_big, char** line_end) noexcept nogil:
    """Find the end of the line at c.pos, searching each byte once.

    mark     '\\r' (with the byte behind it) or '\\n'
    too_big  violation if the line is not whole within INLINE_MAX bytes
    A zero byte hides the line's end, as in Redis.
    """
    cdef Parser* p = c.p
    cdef char* first = c.pos + p.looked
    cdef char* hit = <char*>memchr(first, mark, <size_t>(c.stop - first))
    cdef char* zero = <char*>memchr(first, 0, <size_t>((hit if hit else c.stop) - first))
    cdef char* seen = zero if zero else hit if hit else c.stop
    if zero or not hit:
        if c.stop - c.pos > INLINE_MAX:
            return violation(c, too_big)
    elif mark == c'\n' or hit + 1 < c.stop:
        p.looked = 0
        line_end[0] = hit
        return STEP_DONE
    p.looked = <uint32_t>(seen - c.pos)
    return PARSE_MORE


cdef int violation(Cursor* c, const char* text) noexcept nogil:
    c.error = text
    return PARSE_ERROR


cdef int wrong_byte(Cursor* c, char byte) noexcept nogil:
    """The violation of an argument that does not start with '$'; the reply is one line."""
    cdef char* text = c.batch.error
    memcpy(text, b"expected '$', got ' '", 22)
    if byte != c'\r' and byte != c'\n':
        text[19] = byte
    return violation(c, text)


cdef int read_inline(Cursor* c) noexcept nogil:
    """Read a request that is a line of words and unquote them in place."""
    cdef Batch* batch = c.batch
    cdef char* p = c.pos
    cdef char* line_end = NULL
    cdef char* stop
    cdef Slice* s
    cdef int step = find_line_end(c, c'\n', b"too big inline request", &line_end)
    if step != STEP_DONE:
        return step
    c.pos = line_end + 1
    stop = line_end
    if stop > p and (stop - 1)[0] == c'\r':
        stop -= 1
    while True:
        while p < stop and (p[0] == c' ' or c'\t' <= p[0] <= c'\r'):
            p += 1
        if p == stop:
            return STEP_DONE
        if batch.used == batch.room and not resize(&batch.slices, &batch.room, 2 * batch.room):
            return PARSE_NO_MEMORY
        s = &batch.slices[batch.used]
        s.block = 0
        p = read_word(p, stop, s)
        if p == NULL:
            return violation(c, b"unbalanced quotes in request")
        batch.used += 1


cdef char* read_word(char* p, char* stop, Slice* word) noexcept nogil:
    """Read one word of a line, with quoted parts, and unquote it in place.

    returns  the byte behind it; NULL if a quote is not closed or not followed by white space
    """
    cdef char* to = p
    cdef char quote = 0
    cdef int high, low
    word.ptr = p
    while p < stop:
        if quote == 0:
            if p[0] == c' ' or p[0] == c'\t' or p[0] == c'\r':
                break
            if p[0] == c'"' or p[0] == c'\'':
                quote = p[0]
                p += 1
                continue
        elif p[0] == quote:
            p += 1
            if p < stop and p[0] != c' ' and not c'\t' <= p[0] <= c'\r':
                return NULL
            quote = 0
            break
        elif p[0] == c'\\' and stop - p > 1:
            if quote == c'\'':
                if p[1] == c'\'':
                    p += 1
            else:
                high = hex_digit(p[2]) if stop - p > 3 and p[1] == c'x' else -1
                low = hex_digit(p[3]) if high >= 0 else -1
                if low >= 0:
                    to[0] = <char>(high << 4 | low)
                    to += 1
                    p += 4
                    continue
                p += 1
                to[0] = unescape(p[0])
                to += 1
                p += 1
                continue
        to[0] = p[0]
        to += 1
        p += 1
    word.len = <uint32_t>(to - word.ptr)
    return NULL if quote else p


cdef inline int hex_digit(char byte) noexcept nogil:
    """Value of a hexadecimal digit; -1 if it is none."""
    if c'0' <= byte <= c'9':
        return byte - c'0'
    byte |= 32
    return byte - c'a' + 10 if c'a' <= byte <= c'f' else -1


cdef inline char unescape(char letter) noexcept nogil:
    """The byte that a backslash and a letter stand for; any other byte stands for itself."""
    if letter == c'n':
        return c'\n'
    if letter == c'r':
        return c'\r'
    if letter == c't':
        return c'\t'
    if letter == c'b':
        return c'\b'
    return c'\a' if letter == c'a' else letter


cdef char* parser_big_room(Parser* p, Arena* arena, size_t* n) noexcept nogil:
    n[0] = 0
    if p.big == 0 or p.big_filled == p.bulk + 2:
        return NULL
    n[0] = <size_t>(p.bulk + 2 - p.big_filled)
    return arena_at(arena, p.big) + BLOCK_HEADER + p.big_filled


cdef void parser_big_filled(Parser* p, size_t n) noexcept nogil:
    p.big_filled += <uint32_t>n


cdef size_t parser_big_bytes(const Parser* p) noexcept nogil:
    return p.big_filled if p.big else 0


cdef void parser_unread(Parser* p, Arena* arena, char* into) noexcept nogil:
    if p.big:
        memcpy(into, arena_at(arena, p.big) + BLOCK_HEADER, p.big_filled)
    parser_free(p, arena)


cdef class ParserHandle:
    """A parser with an arena of its own, fed as a session feeds it; for the tests."""

    cdef Parser parser
    cdef Batch batch
    cdef Arena arena
    cdef Limits limits
    cdef bytearray kept
    cdef readonly list batch_sizes      # requests in each batch of the last feed

    def __cinit__(self, int64_t bulk=512 << 20, bint authenticated=True, size_t reserve=1 << 30):
        self.limits.bulk = bulk
        self.limits.authenticated = authenticated
        self.kept = bytearray()
        parser_init(&self.parser)
        if not batch_init(&self.batch) or arena_open(&self.arena, reserve, False) != OK:
            raise MemoryError

    def __dealloc__(self):
        parser_free(&self.parser, &self.arena)
        batch_free(&self.batch)
        arena_close(&self.arena)

    def feed(self, bytes data):
        """Feed bytes behind those kept; returns the requests now whole and the violation or None."""
        cdef size_t begin = 0, end = 0
        cdef const char* error = NULL
        cdef ParseStatus status = PARSE_FULL
        cdef bytearray given = self.kept + data
        requests = []
        self.batch_sizes = []
        while status == PARSE_FULL:
            status = parse_batch(&self.parser, &self.arena, &self.limits, given, <size_t>len(given),
                                 &self.batch, &begin, &end, &error)
            requests += self.take_batch()
            self.batch_sizes.append(self.batch.count)
            given = given[begin:end]
        self.kept = given
        if status == PARSE_NO_MEMORY:
            raise MemoryError
        return requests, error if status == PARSE_ERROR else None

    cdef list take_batch(self):
        cdef uint32_t i, j
        cdef Slice* s
        requests = []
        for i in range(self.batch.count):
            args = []
            for j in range(self.batch.requests[i].argc):
                s = &self.batch.slices[self.batch.requests[i].first + j]
                args.append(s.ptr[:s.len])
                if s.block:
                    arena_free(&self.arena, s.block)
            requests.append(args)
        return requests

    def feed_big(self, bytes data):
        """Fill the big argument in progress past the buffer; returns how many bytes it took."""
        cdef size_t n = 0
        cdef char* room = parser_big_room(&self.parser, &self.arena, &n)
        if room == NULL:
            return 0
        n = min(n, <size_t>len(data))
        memcpy(room, <const char*>data, n)
        parser_big_filled(&self.parser, n)
        return n

    def unread(self):
        """Forget the request in progress; its bytes are what is kept again."""
        cdef size_t n = parser_big_bytes(&self.parser)
        cdef bytearray into = bytearray(n)
        parser_unread(&self.parser, &self.arena, into)
        self.kept += into

    def forget(self):
        """Forget the request in progress and its bytes, as the end of a session does."""
        parser_free(&self.parser, &self.arena)
        self.kept.clear()

    @property
    def kept_bytes(self):
        return len(self.kept)

    @property
    def arena_used(self):
        """Bytes in use in the arena; an arena that is not whole raises."""
        if arena_check(&self.arena) != 0:
            raise AssertionError("arena_check")
        return self.arena.head.used
