# What the load generator owns, and a client's system calls.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from minikv_core.histogram cimport Counts
from minikv_core.sockets cimport socklen_t
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

cdef extern from "errno.h" nogil:
    enum: EINPROGRESS

cdef extern from "sys/socket.h" nogil:
    struct sockaddr:
        pass
    enum: SOCK_STREAM, SOL_SOCKET, SO_ERROR
    int socket(int family, int kind, int protocol)
    int bind(int fd, const sockaddr* address, socklen_t n)
    int connect(int fd, const sockaddr* address, socklen_t n)
    int setsockopt(int fd, int level, int option, const void* value, socklen_t n)
    int getsockopt(int fd, int level, int option, void* value, socklen_t* n)

cdef extern from "netinet/in.h" nogil:
    struct in_addr:
        uint32_t s_addr
    struct sockaddr_in:
        uint16_t sin_family
        uint16_t sin_port
        in_addr  sin_addr
    enum: IPPROTO_IP, IPPROTO_TCP, IP_BIND_ADDRESS_NO_PORT
    uint32_t htonl(uint32_t n)
    uint16_t htons(uint16_t n)

cdef extern from "netinet/tcp.h" nogil:
    enum: TCP_NODELAY

cdef enum:
    RECEIVE_BYTES = 65536
    DIGITS = 12                 # of a key's number
    MAX_TEMPLATES = 16
    MAX_TEXT = 512              # of a request, a reply, or an error line
    MAX_HOLES = 2               # places for a number in a text

cdef enum Stage:
    CLOSED                      # not opened yet, or given up
    CONNECTING
    READY                       # nothing is owed
    WAITING                     # replies are owed

cdef struct Text:
    char bytes[MAX_TEXT]
    int  length                 # of a reply 0 = any but an error is right
    int  holes[MAX_HOLES]       # offsets
    bint is_random[MAX_HOLES]   # whether a number of its own goes there, and not the key's
    int  hole_count

cdef struct Template:
    Text   request
    Text   reply
    double share                # of the requests: those of this template and of the ones before it

cdef struct Conn:
    int       fd                # -1 = none
    Stage     stage
    bint      is_slow
    bint      greeted           # has answered its first request, which is not measured
    int       owed              # replies outstanding
    int64_t   elements          # of a reply that may be any: what is still to come of it ...
    int64_t   rest              # ... and the bytes of the string that has begun
    int       batch             # requests of the batch under way
    uint32_t* keys              # [pipeline] of the batch
    uint8_t*  kinds             # [pipeline] templates of the batch
    char*     out               # the batch as bytes
    int       out_length
    int       out_sent
    char      kept[MAX_TEXT]    # the start of a reply whose end has not come
    int       kept_length
    int64_t   start_ns          # when the batch was sent; with churn, when the connection was asked for

cdef struct Sweep:              # visits connections in turn, each once an interval
    int     first
    int     count               # 0 = none
    int64_t interval_ns
    int64_t start_ns
    int64_t done                # visits so far

cdef struct Tally:
    uint64_t requests           # answered rightly
    uint64_t in_time            # of these, before the end of the run; the others were outstanding then
    uint64_t errors             # error replies
    uint64_t wrong              # replies that are not what was asked for
    uint64_t lost               # connections that the server ended
    uint64_t refused            # connections that could not be made
    uint64_t overdue            # paced requests not sent in their time: the reply before was still owed
    uint64_t slow_requests      # answered rightly on slow connections
    uint64_t unanswered         # connections owed an answer, or not even opened, when the run was given up

cdef struct Load:
    int         epoll
    sockaddr_in server
    Conn*       conns           # the slow ones first
    int         count           # of conns
    int         slow            # of these, slow
    int         pipeline
    bint        churn
    Template    templates[MAX_TEMPLATES]        # the first is the greeting
    int         template_count
    uint32_t    key_count
    uint64_t    random          # state of xorshift64, never 0
    uint32_t    sockets         # made so far: chooses the address of the next
    int         opened          # connections asked for so far
    int         opening         # of these, without a first answer
    int64_t     progress_ns     # when one last answered
    bint        greeting        # connections are being opened, and first answers awaited
    bint        sending
    int         kicked          # connections that this run has started
    uint64_t    left            # requests that may still be sent
    int         outstanding     # measured connections that are owed something
    Sweep       paced
    Sweep       dripping        # the slow connections, a byte a visit
    Tally       tally
    Counts*     latencies       # nanoseconds
    char        complaint[MAX_TEXT]             # the first error
    char*       buffer          # MAX_TEXT + RECEIVE_BYTES

cdef inline int64_t now_ns() noexcept nogil:
    cdef timespec t
    clock_gettime(CLOCK_MONOTONIC, &t)
    return <int64_t>t.tv_sec * 1000000000 + t.tv_nsec

cdef void open_conn(Load* g, Conn* c) noexcept nogil
cdef void end_conn(Load* g, Conn* c) noexcept nogil
cdef void fill_batch(Load* g, Conn* c, int count) noexcept nogil
cdef void flush(Load* g, Conn* c, int until) noexcept nogil
cdef void send_batch(Load* g, Conn* c, int most) noexcept nogil        # if requests are left
cdef void handle_event(Load* g, Conn* c, uint32_t events) noexcept nogil
