"""Clients that send datagrams."""

import socket

from minikv_core.decode import decode

from minikv import ReplyError


def free_port():
    """A UDP port that is free, as far as anyone can know."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def request(*words):
    words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words)


class Sender:
    """A client that sends datagrams from an address of its own."""

    def __init__(self, sock, place):
        self.socket = sock
        self.socket.settimeout(20)
        self.place = place

    def raw(self, data):
        """The datagram that one is answered with."""
        self.socket.sendto(data, self.place)
        return self.socket.recv(1 << 20)

    def all(self, *lines):
        """The replies to commands that are sent in one datagram, each a line of words."""
        answer, replies = self.raw(b"".join(request(*line.split()) for line in lines)), []
        while answer:
            reply, end = decode(answer, ReplyError)
            replies.append(str(reply) if isinstance(reply, ReplyError) else reply)
            answer = answer[end:]
        return replies

    def one(self, line):
        (reply,) = self.all(line)
        return reply

    def is_unanswered(self, data):
        """Whether a datagram has no answer; they are served in order."""
        self.socket.sendto(data, self.place)
        return self.raw(request("ECHO", "behind")) == b"$6\r\nbehind\r\n"
