"""All turns: every scenario on every target, one after the other, round after round, bounded in time."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from minikv.compare import machine
from minikv.compare.measure import measure
from minikv.compare.results import Results
from minikv.compare.scenarios import Scale, Scenario
from minikv.compare.targets import Target

MANY = 1_000  # connections
BUSY_LOAD = 0.7  # load average of the minute before the start from which on the machine was not idle


@dataclass(frozen=True)
class Run:
    """Everything a report is made from."""

    facts: dict[str, str]
    scenarios: Sequence[Scenario]
    targets: Sequence[Target]
    scale: Scale
    results: Results

    def was_busy(self) -> bool:
        """Whether other work may have disturbed the figures."""
        return float(self.facts["load average at the start"]) > BUSY_LOAD

    def names(self) -> list[str]:
        return [target.name for target in self.targets]

    def remarks(self) -> list[str]:
        """What a reader must know about the figures."""
        notes = [
            f"{scenario.name}: {note}"
            for scenario in self.scenarios
            for name in self.names()
            for note in self.results.notes((scenario.name, name))
        ]
        skipped: dict[str, list[str]] = {}
        for scenario_name, name in self.results.skipped:
            skipped.setdefault(scenario_name, []).append(name)
        no_time = [
            f"{name}: no time was left for all turns of {', '.join(names)}" for name, names in skipped.items()
        ]
        shared = machine.SERVER_CORE in machine.LOAD_CORES
        alone = ["there is only one core: servers and load share it"] if shared else []
        return [*alone, *self.results.bottlenecks(), *dict.fromkeys(notes), *no_time]


Announce = Callable[[str], None]  # told what comes next, once a turn


def rounds_of(scenario: Scenario, scale: Scale) -> int:
    """Scenarios of many connections, which take long, come once."""
    return 1 if scenario.connections > MANY else scale.rounds


def count_turns(scenarios: Sequence[Scenario], targets: Sequence[Target], scale: Scale) -> int:
    return sum(rounds_of(scenario, scale) for scenario in scenarios) * len(targets)


def run(
    scenarios: Sequence[Scenario],
    targets: Sequence[Target],
    scale: Scale,
    file_limit: int,
    announce: Announce,
) -> Results:
    """Take all turns; those for which no time is left are skipped, the last rounds first."""
    results = Results()
    deadline = time.monotonic() + scale.limit
    for number in range(scale.rounds):
        for scenario in scenarios:
            if number >= rounds_of(scenario, scale):
                continue
            for target in targets:
                announce(f"{scenario.name}: {target.name}")
                key = (scenario.name, target.name)
                if time.monotonic() < deadline:
                    results.add(key, measure(scenario, target, scale, file_limit))
                else:
                    results.skipped[key] = None
    return results
