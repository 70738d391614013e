# The actor of a connection: two threads, and what they say to the store's actor and hear from it.
from minikv_core.engine cimport Session
from minikv_core.mailbox cimport Mailbox, Message
from minikv_core.sockets cimport iovec, sockaddr_storage
from minikv_core.threads cimport pthread_attr_t, sem_t

cdef enum:
    BUFFERS = 2
    BUFFER_BYTES = 32768
    PIECES = 64

cdef enum Kind:                 # what messages say
    # to the store
    CONNECTED                   # the acceptor: here is a connection
    TERMINATE                   # the acceptor: a signal asked for the end
    RECEIVED                    # a reader: n bytes in the buffer of this message
    ENDED                       # a reader's last: 0 = the peer has closed, else an error
    SENT                        # a writer: n bytes, negative = an error
    DONE                        # a writer's last
    # to a writer
    SEND                        # the n bytes in `pieces`
    GOODBYE                     # that was all: tell the peer, and give it time to close too
    # to both
    QUIT                        # say your last

cdef struct Connection:
    Mailbox*  store
    int       fd
    bint      is_unix
    sockaddr_storage peer
    # the reader, and what it tells
    Message   received[BUFFERS]
    sem_t     free_buffers
    # the writer, what it is told, and what it tells
    Mailbox   orders
    Message   order
    Message   quit
    iovec     pieces[PIECES]    # of the session's output, where they stay until SENT
    int       piece_count
    Message   report
    # the store's own notes
    Session*  session           # NULL = released: the threads have yet to end
    int       threads           # that have not said their last
    bint      hung_up           # nothing more is received
    char      buffers[BUFFERS * BUFFER_BYTES]

cdef Connection* connection_new(Mailbox* store, int fd, const sockaddr_storage* peer, bint is_unix) noexcept nogil
cdef void connection_free(Connection* c) noexcept nogil     # when its threads have said their last
# Start the threads; False = the system has none left, and the first may run all the same.
cdef bint connection_start(Connection* c, const pthread_attr_t* attributes) noexcept nogil
cdef void connection_quit(Connection* c) noexcept nogil     # have its threads say their last
cdef char* received_bytes(Connection* c, const Message* m) noexcept nogil
# The reader may have a message's buffer again.
cdef void give_back(Connection* c, Message* m) noexcept nogil
