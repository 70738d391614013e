"""What a setting's value can be: how each kind is read, shown and written to a file.

read   words -> value; ValueError with a phrase for the user
show   value -> the text of CONFIG GET
lines  value -> the words of each line of the configuration file that says it
join   what a value means beside the one before it: replaces it, unless the kind says otherwise
"""

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

from minikv.conf import split_words

INT32_MAX = 2**31 - 1
UINT32_MAX = 2**32 - 1
INT64_MAX = 2**63 - 1

_DECIMAL = re.compile(r"0|-?[1-9][0-9]*")
_MEMORY = re.compile(r"([0-9]+)(b|k|kb|m|mb|g|gb)?", re.IGNORECASE)
_UNITS = {"b": 1, "k": 10**3, "kb": 2**10, "m": 10**6, "mb": 2**20, "g": 10**9, "gb": 2**30}

WRONG_COUNT = "wrong number of arguments"


class Kind(ABC):
    """A kind of value; `takes` says in the docs what a user may write."""

    many: ClassVar[bool] = False  # takes several words
    optional: ClassVar[bool] = False  # a line may say the name alone, which adds nothing
    takes: str

    @abstractmethod
    def read(self, words: Sequence[str]) -> Any: ...

    @abstractmethod
    def show(self, value: Any) -> str: ...

    def lines(self, value: Any) -> list[list[str]]:
        return [[self.show(value)]]

    def join(self, old: Any, new: Any, repeated: bool) -> Any:
        """Combine; `repeated` means that `old` came from an earlier line of the same start."""
        return new


class Single(Kind):
    """One word."""

    def read(self, words: Sequence[str]) -> Any:
        if len(words) != 1:
            raise ValueError(WRONG_COUNT)
        return self.parse(words[0])

    @abstractmethod
    def parse(self, word: str) -> Any: ...

    def show(self, value: Any) -> str:
        return str(value)


class Many(Kind):
    """Several words, or one word that holds them all, with quotes of their own if need be."""

    many = True

    def read(self, words: Sequence[str]) -> Any:
        return self.parse(split_words(words[0]) if len(words) == 1 else list(words))

    @abstractmethod
    def parse(self, words: list[str]) -> Any: ...

    def lines(self, value: Any) -> list[list[str]]:
        return [self.show(value).split() or [""]]


class Bool(Single):
    """yes or no."""

    takes = "yes, no"

    def parse(self, word: str) -> bool:
        if word.lower() not in ("yes", "no"):
            raise ValueError("argument must be 'yes' or 'no'")
        return word.lower() == "yes"

    def show(self, value: bool) -> str:
        return "yes" if value else "no"


class Int(Single):
    """A decimal number.

    low, high  inclusive; no `high` means up to int64
    clamp      (low, high) that accepted numbers are moved into
    """

    def __init__(self, low: int, high: int | None = INT32_MAX, clamp: tuple[int, int] | None = None) -> None:
        self.low = low
        self.high = high
        self.clamp = clamp
        shown_low, shown_high = clamp or (low, high)
        if shown_high in (None, INT32_MAX, INT64_MAX):
            self.takes = f"number from {shown_low}"
        else:
            self.takes = f"number, {shown_low} to {shown_high}"

    def parse(self, word: str) -> int:
        number = parse_int64(word)
        check_range(number, self.low, self.high)
        if self.clamp:
            number = min(max(number, self.clamp[0]), self.clamp[1])
        return number


class Octal(Single):
    """A file mode."""

    takes = "octal number, 0 to 777"

    def parse(self, word: str) -> int:
        if not re.fullmatch("[0-7]+", word):
            raise ValueError("argument couldn't be parsed into an integer")
        if int(word, 8) > 0o777:
            raise ValueError("argument must be between 0 and 777 inclusive")
        return int(word, 8)

    def show(self, value: int) -> str:
        return f"{value:o}"


class Memory(Single):
    """A number of bytes, with a unit if wanted: k, m and g are powers of 1000, kb, mb and gb of 1024."""

    takes = "bytes, or with a unit: 100mb"

    def __init__(self, low: int = 0, high: int | None = None) -> None:
        self.low = low
        self.high = high

    def parse(self, word: str) -> int:
        number = parse_memory(word)
        if number is None or number > INT64_MAX:
            raise ValueError("argument must be a memory value")
        check_range(number, self.low, self.high)
        return number

    def lines(self, value: int) -> list[list[str]]:
        return [[show_memory(value)]]


class MemoryOrPercent(Memory):
    """A number of bytes, or a part of maxmemory, held as a negative number: 5 % is -5."""

    takes = "bytes, or a percentage of maxmemory: 5%"

    def parse(self, word: str) -> int:
        if re.fullmatch("[0-9]+%", word):
            percent = int(word[:-1])
            if percent > 100:
                raise ValueError("percentage argument must be less or equal to 100")
            return -percent
        if parse_memory(word) is None:
            raise ValueError("argument must be a memory or percent value")
        return super().parse(word)

    def show(self, value: int) -> str:
        return f"{-value}%" if value < 0 else str(value)

    def lines(self, value: int) -> list[list[str]]:
        return [[self.show(value)]] if value < 0 else super().lines(value)


class Enum(Single):
    """One of some names, in any case."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.takes = ", ".join(names)

    def parse(self, word: str) -> str:
        if word.lower() not in self.names:
            raise ValueError(f"argument(s) must be one of the following: {', '.join(self.names)}")
        return word.lower()


class Flags(Many):
    """Some of some names; the first of them stands alone and means none of the others."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.takes = f"{names[0]}, or any of {', '.join(names[1:])}"

    def parse(self, words: list[str]) -> tuple[str, ...]:
        wanted = {word.lower() for word in words}
        if not wanted or not wanted <= set(self.names):
            raise ValueError(f"argument(s) must be one of the following: {', '.join(self.names)}")
        return tuple(name for name in self.names[1:] if name in wanted)

    def show(self, value: tuple[str, ...]) -> str:
        return " ".join(value) or self.names[0]


class String(Single):
    """Any text."""

    takes = "text"

    def parse(self, word: str) -> str:
        return word


class FileName(String):
    """A file's name inside `dir`."""

    takes = "file name"

    def parse(self, word: str) -> str:
        if not word:
            raise ValueError("argument can't be empty")
        if "/" in word:
            raise ValueError("argument can't be a path, just a filename")
        return word


class Directory(Single):
    """An existing directory, held as an absolute path."""

    takes = "path"

    def parse(self, word: str) -> str:
        if not os.path.isdir(word):
            raise ValueError("Not a directory" if os.path.exists(word) else "No such file or directory")
        return os.path.abspath(word)


class Words(Many):
    """Several words, such as addresses."""

    def __init__(self, takes: str) -> None:
        self.takes = takes

    def parse(self, words: list[str]) -> tuple[str, ...]:
        return tuple(words)

    def show(self, value: tuple[str, ...]) -> str:
        return " ".join(value)


class Integers(Many):
    """A fixed count of numbers."""

    def __init__(self, count: int, low: int, high: int) -> None:
        self.count = count
        self.low = low
        self.high = high
        self.takes = f"{count} numbers, {low} to {high}"

    def parse(self, words: list[str]) -> tuple[int, ...]:
        if len(words) != self.count:
            raise ValueError(WRONG_COUNT)
        numbers = tuple(map(parse_int64, words))
        for number in numbers:
            check_range(number, self.low, self.high)
        return numbers

    def show(self, value: tuple[int, ...]) -> str:
        return " ".join(map(str, value))


class Percentiles(Many):
    """Numbers from 0 to 100."""

    takes = "numbers, 0 to 100"

    def parse(self, words: list[str]) -> tuple[float, ...]:
        try:
            numbers = tuple(map(float, words))
        except ValueError:
            raise ValueError("Invalid latency-tracking-info-percentiles parameters") from None
        if not all(0.0 <= number <= 100.0 for number in numbers):
            raise ValueError("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]")
        return numbers

    def show(self, value: tuple[float, ...]) -> str:
        return " ".join(repr(number).removesuffix(".0") for number in value)


class SavePoint(NamedTuple):
    seconds: int
    changes: int


class SavePoints(Many):
    """When to save: after so many seconds if there were so many changes. Lines add up; "" clears them."""

    takes = "pairs of seconds and changes"
    optional = True

    def parse(self, words: list[str]) -> tuple[SavePoint, ...]:
        if words == [""]:
            return ()
        try:
            numbers = list(map(parse_int64, words))
            points = [SavePoint(*numbers[at : at + 2]) for at in range(0, len(numbers), 2)]
        except (ValueError, TypeError):
            raise ValueError("Invalid save parameters") from None
        if any(point.seconds < 1 or point.changes < 0 for point in points):
            raise ValueError("Invalid save parameters")
        return tuple(points)

    def show(self, value: tuple[SavePoint, ...]) -> str:
        return " ".join(f"{point.seconds} {point.changes}" for point in value)

    def lines(self, value: tuple[SavePoint, ...]) -> list[list[str]]:
        return [list(map(str, point)) for point in value] or [[""]]

    def join(self, old: tuple[SavePoint, ...], new: tuple[SavePoint, ...], repeated: bool) -> Any:
        return old + new if repeated and new else new


class OutputLimit(NamedTuple):
    hard: int  # bytes
    soft: int  # bytes
    seconds: int  # that `soft` may be passed for


class OutputLimits(Many):
    """Limits of the output buffer by client class; a class that is not named keeps its own."""

    takes = "class, hard limit, soft limit, seconds; classes: normal, replica, pubsub"
    classes = ("normal", "slave", "pubsub")

    def parse(self, words: list[str]) -> dict[str, OutputLimit]:
        if not words or len(words) % 4:
            raise ValueError("Wrong number of arguments in buffer limit configuration.")
        limits = {}
        for at in range(0, len(words), 4):
            name = words[at].lower().replace("replica", "slave")
            if name not in self.classes:
                raise ValueError("Invalid client class specified in buffer limit configuration.")
            hard, soft = parse_memory(words[at + 1]), parse_memory(words[at + 2])
            if hard is None or soft is None or not re.fullmatch("[0-9]+", words[at + 3]):
                raise ValueError("Error in hard, soft or soft_seconds setting in buffer limit configuration.")
            limits[name] = OutputLimit(hard, soft, int(words[at + 3]))
        return limits

    def show(self, value: dict[str, OutputLimit]) -> str:
        return " ".join(f"{name} {' '.join(map(str, value[name]))}" for name in self.classes)

    def lines(self, value: dict[str, OutputLimit]) -> list[list[str]]:
        return [
            [name, show_memory(limit.hard), show_memory(limit.soft), str(limit.seconds)]
            for name, limit in value.items()
        ]

    def join(self, old: dict[str, OutputLimit], new: dict[str, OutputLimit], repeated: bool) -> Any:
        return old | new


class KeyEvents(Single):
    """Classes of keyspace events, one letter each, held in Redis's order with A for all of `g$lshzxetd`."""

    takes = "letters of Ag$lshzxeKEtmdnoc"

    def parse(self, word: str) -> str:
        if set(word) - set("Ag$lshzxeKEtmdnoc"):
            raise ValueError("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
        kinds = "g$lshzxetd"
        if "A" in word or set(kinds) <= set(word):
            word = "A" + "".join(set(word) - set(kinds + "A"))
        return "".join(letter for letter in f"A{kinds}nocKEm" if letter in word)

    def show(self, value: str) -> str:
        # Redis leaves out beside A what A does not stand for.
        return "".join(letter for letter in value if letter not in "noc") if "A" in value else value

    def lines(self, value: str) -> list[list[str]]:
        return [[value]]


def parse_int64(word: str) -> int:
    """Read a number as Redis does: no plus, no leading zero, no space."""
    if not _DECIMAL.fullmatch(word) or not -INT64_MAX - 1 <= int(word) <= INT64_MAX:
        raise ValueError("argument couldn't be parsed into an integer")
    return int(word)


def check_range(number: int, low: int, high: int | None) -> None:
    """Refuse a number out of an inclusive range, which has no upper end if `high` is None."""
    if high is None:
        if number < low:
            raise ValueError(f"argument must be greater or equal to {low}")
    elif not low <= number <= high:
        raise ValueError(f"argument must be between {low} and {high} inclusive")


def parse_memory(word: str) -> int | None:
    """Read a number of bytes; None if it is not one."""
    match = _MEMORY.fullmatch(word)
    return int(match[1]) * _UNITS[(match[2] or "b").lower()] if match else None


def show_memory(value: int) -> str:
    """Write a number of bytes with the largest unit that divides it."""
    for unit in ("gb", "mb", "kb"):
        if value and value % _UNITS[unit] == 0:
            return f"{value // _UNITS[unit]}{unit}"
    return str(value)
