"""Values of every type and form, to be dumped and restored."""

import struct

from rdb_payloads import intset, length, listpack, lzf, string, ziplist, zipmap

FAR = 4_000_000_000_000  # Unix ms
TEXT = "x" * 100

# name -> (encoding here, commands that make KEY)
VALUES = {
    "empty": ("embstr", ["SET KEY ''"]),
    "int": ("int", ["SET KEY 12345"]),
    "int8": ("int", ["SET KEY -128"]),
    "int32": ("int", ["SET KEY -2147483648"]),
    "int64": ("int", ["SET KEY -9223372036854775808"]),
    "text": ("embstr", ["SET KEY hello"]),
    "like a number": ("embstr", ["SET KEY 007"]),
    "raw": ("raw", ["SET KEY " + TEXT]),
    "block": ("raw", ["SET KEY " + TEXT * 2000]),
    "list": ("listpack", ["RPUSH KEY a 1 -70000 '' 9223372036854775807 007 " + TEXT]),
    "long list": ("quicklist", ["RPUSH KEY " + " ".join(f"{i}{TEXT}" for i in range(2000))]),
    "list of a long element": ("quicklist", ["RPUSH KEY a " + TEXT * 1000 + " b"]),
    "intset": ("intset", ["SADD KEY 1 -2 300 70000 -9223372036854775808"]),
    "set": ("listpack", ["SADD KEY a 1 -70000 '' 007 "]),
    "large set": ("hashtable", ["SADD KEY " + " ".join(f"m{i}" for i in range(2000))]),
    "large set of integers": ("hashtable", ["SADD KEY " + " ".join(str(i * 7) for i in range(2000))]),
    "set of a long member": ("hashtable", ["SADD KEY a " + TEXT * 10]),
    "hash": ("listpack", ["HSET KEY f v 1 2 '' '' -7 x n 1.5"]),
    "large hash": ("hashtable", ["HSET KEY " + " ".join(f"f{i} {i}" for i in range(1000))]),
    "hash of a long value": ("hashtable", ["HSET KEY f " + TEXT * 300 + " g 1"]),
    "expiring hash": ("listpackex", ["HSET KEY f v g 2 h 3", f"HPEXPIREAT KEY {FAR} FIELDS 1 g",
                                     f"HPEXPIREAT KEY {FAR + 5} FIELDS 1 h"]),
    "large expiring hash": ("hashtable", ["HSET KEY " + " ".join(f"f{i} {i}" for i in range(1000)),
                                          f"HPEXPIREAT KEY {FAR} FIELDS 2 f7 f900"]),
    "zset": ("listpack", ["ZADD KEY 1 a 2.5 b -inf c +inf d 1e300 e -0.1 7 3 ''"]),
    "large zset": ("skiplist", ["ZADD KEY " + " ".join(f"{i / 7} m{i}" for i in range(1000))]),
    "zset of a long member": ("skiplist", ["ZADD KEY 1 a 2 " + TEXT]),
    "stream": ("stream", ["XADD KEY 1-1 a 1 b 2", "XADD KEY 1-2 a 3 b four", "XADD KEY 5-0 c 5",
                          "XADD KEY 7-7 a 1 b 2"]),
    "long stream": ("stream", [f"XADD KEY {i // 3}-{i % 3 + 1} field {i} other {TEXT}" for i in range(500)]
                    + ["XADD KEY 9999-1 a b", "XDEL KEY 9999-1 3-1 20-2"]),
    "empty stream": ("stream", ["XADD KEY 5-5 a b", "XDEL KEY 5-5"]),
    "stream with groups": ("stream", [f"XADD KEY {i}-1 a {i}" for i in range(1, 20)] + [
        "XGROUP CREATE KEY g 0", "XGROUP CREATE KEY empty $", "XGROUP CREATE KEY half 7-1 ENTRIESREAD 7",
        "XREADGROUP GROUP g alice COUNT 3 STREAMS KEY >", "XREADGROUP GROUP g bob COUNT 5 STREAMS KEY >",
        "XREADGROUP GROUP half carol COUNT 2 STREAMS KEY >", "XACK KEY g 2-1", "XDEL KEY 3-1",
    ]),
    "idle consumer": ("stream", ["XADD KEY 1-1 a 1", "XGROUP CREATE KEY g $",
                                 "XGROUP CREATECONSUMER KEY g alice"]),
    "geo": ("listpack", ["GEOADD KEY 13.361389 38.115556 Palermo 15.087269 37.502669 Catania"]),
    "sparse hyperloglog": ("raw", ["PFADD KEY a b c d"]),
    "bitmap": ("raw", ["SETBIT KEY 1000 1"]),
}  # fmt: skip


def words(line, key):
    return [key if word == "KEY" else "" if word == "''" else word for word in line.split()]


# ---------------------------------------------------------------- every type of the RDB format

PAIRS = [(b"a", b"1"), (b"b", b"two"), (b"300", b"")]
FLAT = [text for pair in PAIRS for text in pair]
SCORES = [(b"a", 1), (b"b", b"2.5"), (b"c", b"inf")]
FLAT_SCORES = [part for pair in SCORES for part in pair]


def packed(texts):
    return [int(text) if text.lstrip(b"-").isdigit() else text for text in texts]


def double(value):
    return struct.pack("<d", value)


def u64(value):
    return struct.pack("<Q", value & 2**64 - 1)


HASH = dict(PAIRS)
TTLS = {b"a": -1, b"b": FAR, b"300": FAR + 7}
# name -> (RDB type, value, version, what contents() finds)
FORMS = {
    "list": (1, length(3) + string(b"a") + b"\xc0\x07" + lzf(b"c" * 50), 9, [b"a", b"7", b"c" * 50]),
    "ziplist": (10, string(ziplist([b"a", 1, -5, b"x" * 300])), 9, [b"a", b"1", b"-5", b"x" * 300]),
    "compressed ziplist": (10, lzf(ziplist([b"a", 1])), 9, [b"a", b"1"]),
    "quicklist": (14, length(2) + string(ziplist([b"a"])) + string(ziplist([b"b", 3])), 9,
                  [b"a", b"b", b"3"]),
    "quicklist 2": (18, length(2) + b"\1" + string(b"plain") + b"\2" + string(listpack([b"a", 70_000])), 10,
                    [b"plain", b"a", b"70000"]),
    "set": (2, length(2) + string(b"a") + b"\xc0\x07", 9, [b"7", b"a"]),
    "intset": (11, string(intset([5, -3, 300], 2)), 9, [b"-3", b"300", b"5"]),
    "set listpack": (20, string(listpack([b"a", 5])), 11, [b"5", b"a"]),
    "hash": (4, length(3) + b"".join(map(string, FLAT)), 9, (HASH, dict.fromkeys(HASH, -1))),
    "zipmap": (9, string(zipmap(PAIRS, 3)), 9, (HASH, dict.fromkeys(HASH, -1))),
    "hash ziplist": (13, string(ziplist(packed(FLAT))), 9, (HASH, dict.fromkeys(HASH, -1))),
    "hash listpack": (16, string(listpack(packed(FLAT))), 10, (HASH, dict.fromkeys(HASH, -1))),
    "zset": (3, length(3) + string(b"a") + b"\x011" + string(b"b") + b"\x032.5" + string(b"c") + b"\xfe", 9,
             [(b"a", 1), (b"b", 2.5), (b"c", float("inf"))]),
    "zset 2": (5, length(2) + string(b"a") + double(1) + string(b"b") + double(-2.5), 9,
               [(b"b", -2.5), (b"a", 1)]),
    "zset ziplist": (12, string(ziplist(FLAT_SCORES)), 9, [(b"a", 1), (b"b", 2.5), (b"c", float("inf"))]),
    "zset listpack": (17, string(listpack(FLAT_SCORES)), 10, [(b"a", 1), (b"b", 2.5), (b"c", float("inf"))]),
    "Valkey's expiring hash": (22, length(3) + b"".join(
        string(field) + string(value) + u64(TTLS[field]) for field, value in PAIRS), 80, (HASH, TTLS)),
    "expiring hash before 7.4": (22, length(3) + b"".join(
        length(max(TTLS[field], 0)) + string(field) + string(value) for field, value in PAIRS), 12,
        (HASH, TTLS)),
    "expiring listpack before 7.4": (23, string(listpack(
        [part for field, value in PAIRS for part in (*packed([field, value]), max(TTLS[field], 0))])), 12,
        (HASH, TTLS)),
    "expiring hash of 7.4": (24, u64(FAR) + length(3) + b"".join(
        length(TTLS[field] - FAR + 1 if TTLS[field] >= 0 else 0) + string(field) + string(value)
        for field, value in PAIRS), 12, (HASH, TTLS)),
    "expiring listpack of 7.4": (25, u64(FAR) + string(listpack(
        [part for field, value in PAIRS for part in (*packed([field, value]), max(TTLS[field], 0))])), 12,
        (HASH, TTLS)),
}  # fmt: skip
