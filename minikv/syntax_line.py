"""The one-line syntax of a command, read into the tree of arguments that COMMAND DOCS shows.

    key value [NX|XX] [GET] [EX seconds|PX milliseconds|KEEPTTL]

Words in capitals (or without letters, as `*`) are tokens, other words name arguments.

    [a]             optional
    <a|b>, [a|b]    one of several
    a ...           one or more of a
    a b [a b ...]   one or more pairs; with a token in front of a, the token is repeated too
    TOKEN a b       the token belongs to all names behind it, or to the <group> that follows at once
    a:double        a type that the name does not say
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_WORD = re.compile(r"\.\.\.|[\[\]<>|]|[^\s\[\]<>|]+")
_CLOSE = {"[": "]", "<": ">"}
_NAMES = {  # arguments of each type; names that are not listed are strings
    "key": "key newkey key1 key2 keys source destination destkey dst src sourcekey storekey storedistkey",
    "integer": "bit bits client-id count cursor db decrement destination-db entries-added entriesread "
    "frequency increment index index1 index2 len limit maxage milliseconds min-match-len ms num-matches "
    "numfields numids numkeys numlocal numreplicas offset port protover rank seconds timeout ttl version "
    "weight",
    "double": "height latitude longitude radius score width",
    "pattern": "by-pattern get-pattern pattern",
    "unix-time": "unix-time-milliseconds unix-time-seconds",
    "string": "",
}
_TYPE_OF = {name: kind for kind, names in _NAMES.items() for name in names.split()}

Node = str | tuple[str, list["Node"]]  # a word, or a group: "[", "<" or "..." (repeated) and what is in it


@dataclass
class Argument:
    """One argument of a command, or a group of them."""

    name: str
    type: str  # block, oneof, pure-token, key, integer, double, unix-time, pattern, string
    token: str | None = None
    flags: list[str] = field(default_factory=list)  # optional, multiple, multiple_token
    arguments: list["Argument"] = field(default_factory=list)  # of block and oneof
    key_spec: int | None = None  # index of the key specification that finds it


def parse(line: str, key_specs: int = 0) -> list[Argument]:
    """Read a syntax line.

    key_specs  how many key specifications the command has: the keys are assigned to them in order
    errors     ValueError for a line that is not well-formed
    """
    words = iter(_WORD.findall(line))
    arguments = _sequence(_group(words, ""))
    keys = (argument for argument in _walk(arguments) if argument.type == "key")
    for i, key in enumerate(keys):
        key.key_spec = min(i, key_specs - 1) if key_specs else None
    return arguments


def _group(words: Iterator[str], close: str) -> list[Node]:
    """The nodes up to a closing bracket; what is repeated becomes a node of its own."""
    nodes: list[Node] = []
    for word in words:
        if word == close:
            return nodes
        if word in "[<":
            inner = _group(words, _CLOSE[word])
            n = len(inner) - 1
            if n > 0 and inner[n] == "..." and nodes[-n:] == inner[:n]:
                nodes[-n:] = [("...", inner[:n])]
            else:
                nodes.append((word, inner))
        elif word in "]>":
            raise ValueError(f"unexpected '{word}'")
        else:
            nodes.append(word)
    if close:
        raise ValueError(f"missing '{close}'")
    return nodes


def _alternatives(nodes: list[Node]) -> Argument:
    """One argument for what is in a group."""
    parts: list[list[Node]] = [[]]
    for node in nodes:
        if node == "|":
            parts.append([])
        else:
            parts[-1].append(node)
    choices = [_one(_sequence(part)) for part in parts]
    if len(choices) == 1:
        return choices[0]
    return Argument("choice", "oneof", arguments=choices)


def _one(arguments: list[Argument]) -> Argument:
    """Several arguments as a block; a single one as it is."""
    if not arguments:
        raise ValueError("an empty group")
    if len(arguments) == 1:
        return arguments[0]
    return Argument("group", "block", arguments=arguments)


def _sequence(nodes: list[Node]) -> list[Argument]:
    found: list[Argument] = []
    i = 0
    while i < len(nodes):
        node = nodes[i]
        i += 1
        if node == "...":
            if not found:
                raise ValueError("nothing in front of '...'")
            _mark(found[-1], "multiple")
        elif node == "|":
            raise ValueError("alternatives need brackets")
        elif isinstance(node, str) and _is_token(node):
            start = i
            if i < len(nodes) and nodes[i][0] == "<":
                i += 1
            while i < len(nodes) and (i == start or nodes[start][0] != "<") and _is_name(nodes[i]):
                i += 1
            found.append(_with_token(node, [_argument(inner) for inner in nodes[start:i]]))
        else:
            found.append(_argument(node))
    return found


def _is_token(word: str) -> bool:
    return word.upper() == word


def _is_name(node: Node) -> bool:
    """Whether a token in front of it takes it in: a name, or names that repeat."""
    if isinstance(node, str):
        return not _is_token(node) and node not in "|"
    return node[0] == "..." and all(map(_is_name, node[1]))


def _argument(node: Node) -> Argument:
    if isinstance(node, str):
        name, _, kind = node.rpartition(":")
        if name and kind in _NAMES:
            return Argument(name, kind)
        return Argument(node, _TYPE_OF.get(node, "string"))
    bracket, nodes = node
    if bracket == "...":
        argument = _mark(_one(_sequence(nodes)), "multiple")
        if argument.token:
            _mark(argument, "multiple_token")
        return argument
    argument = _alternatives(nodes)
    return _mark(argument, "optional") if bracket == "[" else argument


def _with_token(token: str, arguments: list[Argument]) -> Argument:
    if not arguments:
        return Argument(token.lower(), "pure-token", token)
    argument = _one(arguments)
    argument.token = token
    if argument.arguments:
        argument.name = token.lower()
    return argument


def _mark(argument: Argument, flag: str) -> Argument:
    if flag == "optional":
        argument.flags.insert(0, flag)
    else:
        argument.flags.append(flag)
    return argument


def _walk(arguments: list[Argument]) -> Iterator[Argument]:
    for argument in arguments:
        yield argument
        yield from _walk(argument.arguments)
