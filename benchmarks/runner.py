"""The turns: every case on every server, one after the other, round after round."""

import contextlib
import subprocess
from collections.abc import Callable, Iterator, Sequence

from benchmarks.results import Results
from benchmarks.scenarios import Scenario
from minikv.compare.errors import MeasurementError
from minikv.compare.peers import Peer
from minikv.compare.server import RunningServer

Announce = Callable[[str], None]  # told what comes next, once per step
FAILURES = (MeasurementError, OSError, subprocess.TimeoutExpired)


def count_steps(scenarios: Sequence[Scenario], peers: Sequence[Peer]) -> int:
    """How often `run` will announce a step."""
    per_server = sum(
        len(scenario.cases()) * scenario.repeats + (not scenario.fresh_servers) for scenario in scenarios
    )
    return per_server * len(peers)


OPTIONS = {"maxclients": "12000"}  # 10,000 held, 50 active, and room


@contextlib.contextmanager
def prepared(scenario: Scenario, peer: Peer) -> Iterator[RunningServer]:
    with RunningServer(peer.name, peer.command, OPTIONS) as server:
        scenario.prepare(server)
        yield server


def run_scenario(scenario: Scenario, peers: Sequence[Peer], results: Results, announce: Announce) -> None:
    """Take all turns of a scenario. What fails is noted, and that server sits out the case from then on."""
    failed: set[tuple[str, str]] = set()
    with contextlib.ExitStack() as stack:
        running: dict[str, RunningServer] = {}
        for peer in [] if scenario.fresh_servers else peers:
            announce(f"{scenario.name}: filling {peer.name}")
            try:
                running[peer.name] = stack.enter_context(prepared(scenario, peer))
            except FAILURES as error:
                results.failures.append(f"{scenario.name}, {peer.name}: {error}")
                failed.update((case, peer.name) for case in scenario.cases())
        for _ in range(scenario.repeats):
            for case in scenario.cases():
                for peer in peers:
                    announce(f"{scenario.name}: {case}, {peer.name}")
                    if (case, peer.name) in failed:
                        continue
                    try:
                        if scenario.fresh_servers:
                            with prepared(scenario, peer) as server:
                                taken = scenario.measure(case, server)
                        else:
                            taken = scenario.measure(case, running[peer.name])
                    except FAILURES as error:
                        results.failures.append(f"{scenario.name}, {case}, {peer.name}: {error}")
                        failed.add((case, peer.name))
                    else:
                        results.add(scenario.name, peer.name, taken)


def run(scenarios: Sequence[Scenario], peers: Sequence[Peer], announce: Announce) -> Results:
    results = Results()
    for scenario in scenarios:
        run_scenario(scenario, peers, results, announce)
    return results
