"""What the tests of sorted sets share: the two encodings, and a client with shorthands."""

ENTRIES = {"listpack": 128, "skiplist": 0}
WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NOT_INT = "ERR value is not an integer or out of range"
NOT_FLOAT = "ERR value is not a valid float"
SYNTAX = "ERR syntax error"


def number(value):
    """A score as RESP2 shows it, or as the float that RESP3 has."""
    return float(value)


class ZClient:
    """A client on an empty server, whose sorted sets all have one encoding."""

    def __init__(self, client, encoding):
        self.encoding = encoding
        self.protocol = client.protocol
        self.cmd = client.cmd
        self.error = client.error

    def __call__(self, *words):
        return self.cmd(*words)

    def make(self, pairs, key="z"):
        """Put members with scores, a dict, under a key."""
        self.cmd("DEL", key)
        for member, score in pairs.items():
            assert self.cmd("ZADD", key, repr(score) if isinstance(score, float) else score, member) == 1
        if pairs:
            assert self.cmd("OBJECT", "ENCODING", key) == self.encoding.encode()

    def pairs(self, reply):
        """(member, score) pairs of a reply with scores: nested in RESP3, flat in RESP2."""
        if self.protocol == 3:
            assert all(isinstance(score, float) for _, score in reply)
            return [(member, score) for member, score in reply]
        return [(member, float(score)) for member, score in zip(reply[::2], reply[1::2], strict=True)]

    def all(self, key="z"):
        return dict(self.pairs(self.cmd("ZRANGE", key, 0, -1, "WITHSCORES")))
