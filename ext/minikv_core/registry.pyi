from collections.abc import Callable
from dataclasses import dataclass

@dataclass(frozen=True)
class KeySpec:
    first: int
    last: int
    step: int = 1
    flags: str = "RO access"

@dataclass(frozen=True)
class KeyNum:
    count: int
    first: int
    flags: str = "RO access"
    step: int = 1

@dataclass(frozen=True)
class KeyWord:
    word: str
    start: int
    last: int = 0
    step: int = 1
    limit: int = 0
    flags: str = "RO access"

@dataclass(frozen=True)
class KeyUnknown:
    notes: str
    word: str = ""
    flags: str = "RO access"

@dataclass
class CommandSpec:
    name: str
    arity: int
    flags: int
    keys: tuple[KeySpec | KeyNum | KeyWord | KeyUnknown, ...] = ()
    group: str = "generic"
    since: str = "1.0.0"
    cost: str = ""
    summary: str = ""
    args: str = ""
    categories: frozenset[str] = ...
    tips: tuple[str, ...] = ()
    history: tuple[tuple[str, str], ...] = ()
    deprecated_since: str = ""
    replaced_by: str = ""
    id: int = 0
    function: object = None
    parent: CommandSpec | None = None
    subcommands: dict[str, CommandSpec] = ...

    @property
    def flag_names(self) -> list[str]: ...
    @property
    def key_range(self) -> tuple[int, int, int]: ...

FLAG_NAMES: dict[int, str]
specs: list[CommandSpec]
by_name: dict[str, CommandSpec]

def define(
    name: str,
    function: Callable[..., object] | int | None,
    *,
    arity: int,
    flags: int,
    keys: KeySpec | KeyNum | KeyWord | KeyUnknown | tuple[KeySpec | KeyNum | KeyWord | KeyUnknown, ...] = (),
    group: str = "generic",
    since: str = "1.0.0",
    cost: str = "",
    summary: str = "",
    args: str = "",
    categories: str = "",
    tips: tuple[str, ...] = (),
    history: tuple[tuple[str, str], ...] = (),
    deprecated_since: str = "",
    replaced_by: str = "",
) -> None: ...
def key_positions(spec: CommandSpec, argv: list[bytes]) -> list[tuple[int, str]] | None: ...
