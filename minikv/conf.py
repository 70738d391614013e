"""The syntax of configuration files and of the command line.

A line is a name and its values. `#` starts a comment line, `include PATTERN` reads other files in place.
"..." knows \\n \\r \\t \\b \\a \\xHH and takes any other escaped character as it is; '...' knows only \\'.
Nothing here knows which names exist. Text is str, bytes that are not UTF-8 are kept as surrogates.
"""

import glob
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from minikv.errors import StartError

COMMAND_LINE = "the command line"
STANDARD_INPUT = "standard input"

# Word characters, "quoted", 'quoted'; a closing quote must end the word.
_WORD = re.compile(
    rb"""((?:[^\s"']|"(?:\\.|[^"\\])*"(?=\s|$)|'(?:\\'|\\(?!')|[^'\\])*'(?=\s|$))+)(?:\s+|$)""", re.DOTALL
)
_PART = re.compile(rb""""((?:\\.|[^"\\])*)"|'((?:\\'|\\(?!')|[^'\\])*)'|([^\s"']+)""", re.DOTALL)
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_CONTROLS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}
_CONTROL_NAMES = {ord(char): "\\" + name.decode() for name, char in _CONTROLS.items()}
_PLAIN = re.compile(r"""[^\s"'\\#\x00-\x1f\x7f][^\s"'\\\x00-\x1f\x7f]*""")


@dataclass(frozen=True)
class Line:
    """A setting as it was written."""

    source: str  # the file's path, STANDARD_INPUT or COMMAND_LINE
    number: int  # of the line in its source, from 1
    text: str
    words: tuple[str, ...]  # name, then values; quotes and escapes resolved


class LineError(StartError):
    """A line cannot be used; the message names the place, the line and the reason."""

    def __init__(self, line: Line, reason: str) -> None:
        unit = "option" if line.source == COMMAND_LINE else "line"
        super().__init__(f"Reading {line.source}, at {unit} {line.number}\n>>> '{line.text}'\n{reason}")


@dataclass(frozen=True)
class Arguments:
    """The command line, taken apart."""

    file: str | None  # the configuration file
    standard_input: bool  # read settings from there as well
    lines: tuple[Line, ...]


def split_words(text: str) -> list[str]:
    """Split a line into words; ValueError if its quotes do not balance."""
    rest = text.strip().encode("utf-8", "surrogateescape")
    words = []
    at = 0
    while at < len(rest):
        match = _WORD.match(rest, at)
        if match is None:
            raise ValueError("Unbalanced quotes in configuration line")
        parts = (_plain_part(part) for part in _PART.finditer(match[1]))
        words.append(b"".join(parts).decode("utf-8", "surrogateescape"))
        at = match.end()
    return words


def quote_word(word: str) -> str:
    """Write a word so that `split_words` reads it back; only what needs quotes gets them."""
    if _PLAIN.fullmatch(word):
        return word
    out = []
    for char in word:
        code = ord(char)
        if code in _CONTROL_NAMES:
            out.append(_CONTROL_NAMES[code])
        elif char in '"\\':
            out.append("\\" + char)
        elif char.isprintable():
            out.append(char)
        else:
            out.extend(f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogateescape"))
    return '"' + "".join(out) + '"'


def _quoted(word: str) -> str:
    """An argument as messages show it: in quotes, so that one is told from two."""
    shown = quote_word(word)
    return shown if shown.startswith('"') else f'"{shown}"'


def read_file(path: str) -> Iterator[Line]:
    """Read the settings of a file and of the files it includes."""
    return _read_file(path, ())


def read_text(text: str, source: str) -> Iterator[Line]:
    """Read the settings of a text and of the files it includes."""
    return _read_text(text, source, ())


def parse_arguments(argv: Sequence[str]) -> Arguments:
    """Take `[FILE|-] [--name value ...] [-]` apart.

    A name takes every argument up to the next `--name`. Its first value may start with `--` too, except
    after `--save`, which then means no save points. An argument may hold a name and its values, as in
    "--save 900 1".
    """
    rest = list(argv)
    file = rest.pop(0) if rest and not rest[0].startswith("-") else None
    standard_input = False
    if rest and "-" in (rest[0], rest[-1]):
        standard_input = True
        rest.pop(0 if rest[0] == "-" else -1)

    options: list[list[str]] = []
    wants_value = False
    for argument in rest:
        if argument.startswith("--") and not wants_value:
            try:
                words = split_words(argument[2:]) if " " in argument else [argument[2:]]
            except ValueError as error:
                raise StartError(f"{error}: '{argument}'") from None
            options.append(words)
            wants_value = len(words) == 1 and words[0].lower() != "save"
        elif not options:
            raise StartError(f"An option starts with '--', this does not: '{argument}'")
        else:
            options[-1].append(argument)
            wants_value = False
    for words in options:
        if len(words) == 1 and words[0].lower() == "save":
            words.append("")
    lines = (
        Line(COMMAND_LINE, number, " ".join((words[0], *map(_quoted, words[1:]))), tuple(words))
        for number, words in enumerate(options, 1)
    )
    return Arguments(file, standard_input, tuple(lines))


def read_arguments(arguments: Arguments) -> Iterator[Line]:
    """Read the file, standard input and the options, in the order in which later ones win."""
    if arguments.file is not None:
        yield from read_file(arguments.file)
    if arguments.standard_input:
        yield from read_text(_decode(sys.stdin.buffer.read()), STANDARD_INPUT)
    yield from arguments.lines


def _read_file(path: str, includers: tuple[str, ...]) -> Iterator[Line]:
    real = str(Path(path).resolve())
    if real in includers:
        raise StartError(f"The configuration file '{path}' includes itself")
    try:
        text = _decode(Path(path).read_bytes())
    except OSError as error:
        raise StartError(f"Can't open the configuration file '{path}': {error.strerror}") from None
    return _read_text(text, path, (*includers, real))


def _read_text(text: str, source: str, includers: tuple[str, ...]) -> Iterator[Line]:
    for number, raw in enumerate(text.split("\n"), 1):
        stripped = raw.strip()
        if not stripped or stripped.startswith("#"):
            continue
        try:
            words = tuple(split_words(stripped))
        except ValueError as error:
            raise LineError(Line(source, number, stripped, ()), str(error)) from None
        line = Line(source, number, stripped, words)
        if words[0].lower() != "include":
            yield line
        elif len(words) != 2:
            raise LineError(line, "include: wrong number of arguments")
        else:
            is_pattern = any(char in words[1] for char in "*?[")
            for path in sorted(glob.glob(words[1])) if is_pattern else [words[1]]:
                yield from _read_file(path, includers)


def _plain_part(part: re.Match[bytes]) -> bytes:
    double, single, bare = part.groups()
    if double is not None:
        return _ESCAPE.sub(_plain_escape, double)
    if single is not None:
        return single.replace(b"\\'", b"'")
    return bare


def _plain_escape(escape: re.Match[bytes]) -> bytes:
    code, char = escape.groups()
    return bytes.fromhex(code.decode()) if code else _CONTROLS.get(char, char)


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
