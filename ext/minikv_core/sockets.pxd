# Linux system calls of the I/O models that Cython's own declarations lack. Makes no module.
from libc.stddef cimport size_t
from libc.stdint cimport uint16_t, uint32_t, uint64_t

cdef extern from "errno.h" nogil:
    int errno
    enum: EAGAIN, EINTR, EMFILE, EMSGSIZE, ENFILE, ENOBUFS, ENOMEM, ECONNABORTED, ECANCELED

cdef extern from "unistd.h" nogil:
    int close(int fd)
    ssize_t read(int fd, void* buf, size_t n)
    ssize_t write(int fd, const void* buf, size_t n)

cdef extern from "sys/uio.h" nogil:
    struct iovec:
        void*  iov_base
        size_t iov_len

cdef extern from "netinet/in.h" nogil:
    struct in_addr:
        uint32_t s_addr
    struct sockaddr_in:
        in_addr sin_addr
    struct in6_addr:
        unsigned char s6_addr[16]
    struct sockaddr_in6:
        in6_addr sin6_addr
    uint32_t ntohl(uint32_t n)
    enum: IPPROTO_TCP

cdef extern from "netinet/tcp.h" nogil:
    enum: TCP_QUICKACK

cdef extern from "sys/socket.h" nogil:
    struct sockaddr:
        uint16_t sa_family
    struct sockaddr_storage:
        uint16_t ss_family
    ctypedef uint32_t socklen_t
    struct msghdr:
        void*   msg_name
        socklen_t msg_namelen
        iovec*  msg_iov
        size_t  msg_iovlen
        void*   msg_control
        size_t  msg_controllen
        int     msg_flags
    enum: AF_INET, AF_INET6, AF_UNIX, SOCK_NONBLOCK, SOCK_CLOEXEC, SHUT_RD, SHUT_WR, SHUT_RDWR
    enum: MSG_NOSIGNAL, MSG_DONTWAIT, MSG_TRUNC, MSG_WAITALL
    enum: SOCK_DGRAM, SOL_SOCKET, SO_RCVTIMEO, SO_SNDTIMEO, SO_TYPE
    ssize_t recv(int fd, void* buf, size_t n, int flags)
    ssize_t recvfrom(int fd, void* buf, size_t n, int flags, sockaddr* peer, socklen_t* length)
    ssize_t send(int fd, const void* buf, size_t n, int flags)
    ssize_t sendto(int fd, const void* buf, size_t n, int flags, const sockaddr* peer, socklen_t length)
    ssize_t sendmsg(int fd, const msghdr* message, int flags)
    int shutdown(int fd, int how)
    int getpeername(int fd, sockaddr* peer, socklen_t* n)
    int getsockopt(int fd, int level, int name, void* value, socklen_t* n)
    int setsockopt(int fd, int level, int name, const void* value, socklen_t n)

cdef extern from * nogil:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <sys/socket.h>
    extern int accept4(int, struct sockaddr *, socklen_t *, int);
    """
    int accept4(int fd, sockaddr* peer, socklen_t* n, int flags)

cdef extern from "sys/time.h" nogil:
    struct timeval:
        long tv_sec
        long tv_usec

cdef extern from "sys/epoll.h" nogil:
    ctypedef union epoll_data_t:
        void*    ptr
        uint64_t u64
    struct epoll_event:
        uint32_t     events
        epoll_data_t data
    enum: EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP, EPOLLRDHUP, EPOLLET, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL, EPOLL_CLOEXEC
    int epoll_create1(int flags)
    int epoll_ctl(int epfd, int op, int fd, epoll_event* event)
    int epoll_wait(int epfd, epoll_event* events, int most, int timeout_ms)

cdef extern from "poll.h" nogil:
    struct pollfd:
        int   fd
        short events
        short revents
    enum: POLLIN
    int poll(pollfd* fds, unsigned long count, int timeout_ms)

cdef extern from * nogil:
    """
    #include <fcntl.h>
    extern int pipe2(int[2], int);
    """
    enum: O_NONBLOCK, O_CLOEXEC
    int pipe2(int* fds, int flags)

cdef inline void quick_ack(int fd) noexcept nogil:
    """Acknowledge what was read now, and not with a reply or 40 ms later. It does not last: after each read."""
    cdef int on = 1
    setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on))
