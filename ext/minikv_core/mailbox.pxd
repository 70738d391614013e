# Mailboxes: any thread posts a message, one thread takes all that have come, in their order.
#
# A message belongs to its sender until it is posted, to the receiver from then on. Nothing is
# allocated: messages lie in the structures of those who post them.
from libc.stdint cimport int64_t

cdef extern from "pthread.h" nogil:
    ctypedef struct pthread_mutex_t:
        pass
    ctypedef struct pthread_cond_t:
        pass

cdef struct Message:
    Message* next
    void*    sender
    int      kind               # what it says: the actors' own numbers
    ssize_t  n
    bint     quiet              # no reason to wake the receiver: it is read with the next one

cdef struct Mailbox:
    pthread_mutex_t lock
    pthread_cond_t  filled
    Message* first
    Message* last

cdef void mailbox_open(Mailbox* m) noexcept nogil
# Once the last message of each thread that posts has been taken.
cdef void mailbox_close(Mailbox* m) noexcept nogil
cdef void mailbox_post(Mailbox* m, Message* message) noexcept nogil
# All messages, a chain through next; wait up to `us` for the first, -1 = without end. NULL = none came.
cdef Message* mailbox_take(Mailbox* m, int64_t us) noexcept nogil
# Have a quiet message wake the receiver, which calls this, after all.
cdef void mailbox_expect(Mailbox* m, Message* message) noexcept nogil
