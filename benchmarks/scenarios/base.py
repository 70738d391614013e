"""What a scenario is: named cases, each measured on one server at a time."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from benchmarks.results import METRICS, Reading
from minikv.compare.server import RunningServer


@dataclass(frozen=True)
class Scale:
    """How much is measured; everything that sets the length of a run."""

    requests: float = 1.0  # factor on the request counts of every load
    large_keyspace: int = 5_000_000
    memory_keys: int = 1_000_000
    connections: tuple[int, ...] = (0, 1_000, 10_000)  # held beside the active clients
    inserted_keys: int = 5_000_000
    deleted_from: int = 2_000_000
    expiring_keys: int = 1_000_000  # at 10,000 a second
    repeats: int = 5  # of the scenarios that vary; each caps it as its length demands


QUICK = Scale(
    requests=0.15,
    large_keyspace=1_000_000,
    memory_keys=250_000,
    connections=(0, 10_000),
    inserted_keys=500_000,
    deleted_from=500_000,
    expiring_keys=50_000,
    repeats=1,
)


@dataclass(frozen=True)
class Panel:
    """One pair of axes in the scenario's chart."""

    title: str
    metric: str
    cases: Sequence[str]
    as_lines: bool = False  # the cases are points along an axis


class Scenario(ABC):
    """A family of cases that share their servers' set-up."""

    name: ClassVar[str]
    title: ClassVar[str]
    headline: ClassVar[tuple[str, ...]]  # the metrics shown in the terminal
    fresh_servers: ClassVar[bool] = True  # a new server for each turn, or one for all turns
    most_repeats: ClassVar[int] = 5

    def __init__(self, scale: Scale) -> None:
        self.scale = scale

    @property
    def repeats(self) -> int:
        return min(self.scale.repeats, self.most_repeats)

    @abstractmethod
    def cases(self) -> Sequence[str]:
        """The turns to take on each server, in order."""

    def panels(self) -> list[Panel]:
        """What its chart shows, three panels a row."""
        return [Panel(METRICS[metric].title, metric, self.cases()) for metric in self.headline]

    def prepare(self, server: RunningServer) -> None:  # noqa: B027 - some scenarios need none
        """Fill a server before its first turn."""

    @abstractmethod
    def measure(self, case: str, server: RunningServer) -> list[Reading]:
        """Take one turn. Raises MeasurementError or OSError when the server cannot."""
