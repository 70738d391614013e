"""Payloads of DUMP made by hand: values in the RDB format, in every form that servers have ever written."""

import struct

from minikv_core.crc64 import checksum


def length(n):
    if n < 64:
        return bytes([n])
    if n < 16384:
        return bytes([0x40 | n >> 8, n & 255])
    if n < 1 << 32:
        return b"\x80" + struct.pack(">I", n)
    return b"\x81" + struct.pack(">Q", n)


def string(text):
    return length(len(text)) + text


def lzf(text):
    """A string as LZF holds it when it finds nothing to compress: runs of up to 32 bytes."""
    packed = b"".join(bytes([len(run) - 1]) + run for run in runs(text))
    return b"\xc3" + length(len(packed)) + length(len(text)) + packed


def runs(text):
    return [text[at : at + 32] for at in range(0, len(text), 32)]


def footer(data, version=10):
    """Data with the version and the checksum behind it."""
    data += struct.pack("<H", version)
    return data + struct.pack("<Q", checksum(data))


def payload(kind, body, version=10):
    return footer(bytes([kind]) + body, version)


# ---------------------------------------------------------------- what Redis keeps small values in


def listpack(elements, count=None):
    """elements: bytes, or int for those that are numbers."""
    body = b"".join(element + back_length(len(element)) for element in map(listpack_element, elements))
    return struct.pack("<IH", len(body) + 7, len(elements) if count is None else count) + body + b"\xff"


def listpack_element(value):
    if isinstance(value, bytes):
        if len(value) < 64:
            return bytes([0x80 | len(value)]) + value
        if len(value) < 4096:
            return bytes([0xE0 | len(value) >> 8, len(value) & 255]) + value
        return b"\xf0" + struct.pack("<I", len(value)) + value
    if 0 <= value < 128:
        return bytes([value])
    if -4096 <= value < 4096:
        return bytes([0xC0 | value >> 8 & 31, value & 255])
    for head, size in ((0xF1, 2), (0xF2, 3), (0xF3, 4), (0xF4, 8)):
        if -(1 << 8 * size - 1) <= value < 1 << 8 * size - 1:
            return bytes([head]) + value.to_bytes(size, "little", signed=True)
    raise ValueError(value)


def back_length(n):
    count = 1 if n <= 127 else 2 if n < 16383 else 3 if n < 2097151 else 4 if n < 268435455 else 5
    return bytes(n >> 7 * i & 127 | (128 if i < count - 1 else 0) for i in reversed(range(count)))


def ziplist(elements, count=None):
    body, last, before = b"", 10, b""
    for value in elements:
        last = 10 + len(body)
        back = bytes([len(before)]) if len(before) < 254 else b"\xfe" + struct.pack("<I", len(before))
        before = back + ziplist_element(value)
        body += before
    head = struct.pack("<IIH", len(body) + 11, last, len(elements) if count is None else count)
    return head + body + b"\xff"


def ziplist_element(value):
    if isinstance(value, bytes):
        if len(value) < 64:
            return bytes([len(value)]) + value
        if len(value) < 16384:
            return bytes([0x40 | len(value) >> 8, len(value) & 255]) + value
        return b"\x80" + struct.pack(">I", len(value)) + value
    if 0 <= value <= 12:
        return bytes([0xF1 + value])
    for head, size in ((0xFE, 1), (0xC0, 2), (0xF0, 3), (0xD0, 4), (0xE0, 8)):
        if -(1 << 8 * size - 1) <= value < 1 << 8 * size - 1:
            return bytes([head]) + value.to_bytes(size, "little", signed=True)
    raise ValueError(value)


def intset(numbers, width=8):
    numbers = sorted(numbers)
    return struct.pack("<II", width, len(numbers)) + b"".join(
        n.to_bytes(width, "little", signed=True) for n in numbers
    )


def zipmap(pairs, spare=0):
    body = b"".join(
        zipmap_length(len(key)) + key + zipmap_length(len(value)) + bytes([spare]) + value + bytes(spare)
        for key, value in pairs
    )
    return bytes([min(len(pairs), 254)]) + body + b"\xff"


def zipmap_length(n):
    return bytes([n]) if n < 254 else b"\xfe" + struct.pack("<I", n)
