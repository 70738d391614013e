"""Reading the arguments of commands that are written in Python."""

import re

from .errors import ReplyError

NOT_INTEGER = "ERR value is not an integer or out of range"
_INTEGER = re.compile(rb"-?[1-9][0-9]{0,18}|0")


def parse_int(word: bytes, error: str = NOT_INTEGER) -> int:
    """A decimal 64-bit integer, spelled as the engine spells it.

    errors   ReplyError with the text `error`
    """
    if _INTEGER.fullmatch(word):
        value = int(word)
        if -(1 << 63) <= value < 1 << 63:
            return value
    raise ReplyError(error)


def shown(word: bytes, most: int = 128) -> str:
    """An argument as it is quoted in an error."""
    return word[:most].decode("utf-8", "surrogateescape")
