import itertools

import pytest
from minikv_core.glob import glob_matches


@pytest.mark.parametrize(
    "pattern, matching, others",
    [
        (b"", [b""], [b"a"]),
        (b"*", [b"a", b"abc", b"\0"], [b""]),
        (b"**", [b"a", b"ab"], [b""]),
        (b"abc", [b"abc"], [b"", b"ab", b"abcd", b"ABC"]),
        (b"a?c", [b"abc", b"a?c", b"a\0c"], [b"ac", b"abbc"]),
        (b"???", [b"abc"], [b"ab", b"abcd"]),
        (b"a*", [b"a", b"ab", b"abc"], [b"", b"ba"]),
        (b"*a", [b"a", b"ba", b"aa"], [b"", b"ab"]),
        (b"a*b*c", [b"abc", b"axbxc", b"abcbc", b"aabbcc"], [b"ab", b"acb", b"abcd"]),
        (b"*ab*ab*", [b"abab", b"xabxabx"], [b"ab", b"aab", b"aba"]),
        (b"h[ae]llo", [b"hallo", b"hello"], [b"hillo", b"hllo", b"haello"]),
        (b"h[^e]llo", [b"hallo", b"h^llo"], [b"hello", b"hllo"]),
        (b"h[a-c]llo", [b"hallo", b"hbllo", b"hcllo"], [b"hdllo", b"h-llo"]),
        (b"h[c-a]llo", [b"hallo", b"hbllo"], [b"hdllo", b"h-llo"]),
        (b"[a-cx-z]", [b"a", b"c", b"y"], [b"d", b"-"]),
        (b"[a-]", [b"a", b"]", b"^"], [b"-", b"b"]),    # the range ends with ], the class with the pattern
        (b"[-a]", [b"-", b"a"], [b"b"]),
        (b"[a-", [b"a", b"-"], [b"b"]),
        (b"[\\]x]", [b"]", b"x"], [b"\\"]),
        (b"[\\a-c]", [b"a", b"-", b"c"], [b"b", b"\\"]),
        (b"[\\", [b"\\"], [b"["]),
        (b"[abc", [b"a", b"c"], [b"[", b"d"]),
        (b"[^abc", [b"d", b"["], [b"a"]),
        (b"[]", [], [b"", b"a", b"]"]),
        (b"[]a]", [], [b"]", b"a", b"a]"]),
        (b"[^]", [b"a", b"]"], [b""]),
        (b"[", [], [b"[", b"a"]),
        (b"[^", [b"a", b"^"], [b""]),
        (b"[*?]", [b"*", b"?"], [b"a"]),
        (b"[\x80-a]", [b"\x80", b"\xff", b"\0", b"a"], [b"b", b"\x7f"]),
        (b"\\*", [b"*"], [b"a", b"\\*"]),
        (b"\\?\\[\\\\", [b"?[\\"], [b"a[\\"]),
        (b"a\\b", [b"ab"], [b"a\\b"]),
        (b"a\\", [b"a\\"], [b"a"]),
        (b"a]", [b"a]"], [b"a"]),
        (b"a\0b*", [b"a\0b", b"a\0bc"], [b"a", b"ab"]),
        (b"\xff*", [b"\xff", b"\xff\xfe"], [b"\xfe"]),
    ],
)  # fmt: skip
def test_patterns(pattern, matching, others):
    for text in matching:
        assert glob_matches(pattern, text), text
    for text in others:
        assert not glob_matches(pattern, text), text


@pytest.mark.parametrize(
    "pattern, matching, others",
    [
        (b"MaxMemory*", [b"maxmemory", b"MAXMEMORY-policy"], [b"maxmem"]),
        (b"[a-c]x", [b"Ax", b"bX"], [b"dx"]),
        (b"[A-C]x", [b"ax", b"BX"], [b"dx"]),
        (b"[^a]", [b"b"], [b"a", b"A"]),
        (b"[A]", [b"a", b"A"], [b"b"]),
        (b"\\A", [b"a", b"A"], []),
        (b"[\\A]", [b"A"], [b"a"]),     # an escaped byte in a class keeps its case
        (b"\xc4", [b"\xc4"], [b"\xe4"]),
    ],
)  # fmt: skip
def test_ignoring_case(pattern, matching, others):
    for text in matching:
        assert glob_matches(pattern, text, True), text
    for text in others:
        assert not glob_matches(pattern, text, True), text


def by_definition(pattern, text):
    """Match *, ? and plain bytes by trying everything a star may take."""
    if not pattern or not text:
        return not text and not pattern.strip(b"*")
    if pattern[:1] == b"*":
        return any(by_definition(pattern[1:], text[at:]) for at in range(len(text) + 1))
    return pattern[:1] in (b"?", text[:1]) and by_definition(pattern[1:], text[1:])


def test_stars_against_the_definition():
    texts = [bytes(t) for n in range(1, 7) for t in itertools.product(b"ab", repeat=n)]
    for n in range(1, 6):
        for pattern in map(bytes, itertools.product(b"ab*", repeat=n)):
            for text in texts:
                assert glob_matches(pattern, text) == by_definition(pattern, text), (pattern, text)


def test_many_stars_take_no_exponential_time():
    assert not glob_matches(b"a*" * 200 + b"b", b"a" * 20_000)
    assert glob_matches(b"a*" * 200 + b"b", b"a" * 20_000 + b"b")
