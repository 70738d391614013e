"""minikv/compare/runner.py and measure.py: the turns, the bound in time, the verdicts."""

import pytest

from minikv.compare import machine, measure, runner, targets
from minikv.compare.results import Reading
from minikv.compare.runner import Run
from minikv.compare.scenarios import GROUPS, QUICK, SCENARIOS, Scale, Scenario
from minikv.compare.targets import Target

ONE, TWO = Target("one", "", ("one",)), Target("two", "", ("two",))
SHORT, IDLE = SCENARIOS["conns-50"], SCENARIOS["idle"]
NOTHING = dict.fromkeys((*measure.TROUBLES, "unanswered"), 0)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    turns: list[tuple[str, str]] = []

    def fake(scenario: Scenario, target: Target, scale: Scale, file_limit: int) -> Reading:
        turns.append((scenario.name, target.name))
        return Reading({"rps": len(turns)})

    monkeypatch.setattr(runner, "measure", fake)
    return turns


def test_targets_take_turns_and_long_scenarios_come_once(taken: list[tuple[str, str]]) -> None:
    scale, said = Scale(rounds=2), list[str]()
    results = runner.run([SHORT, IDLE], [ONE, TWO], scale, 1000, said.append)
    short = [("conns-50", "one"), ("conns-50", "two")]
    assert taken == [*short, ("idle", "one"), ("idle", "two"), *short]
    assert len(said) == runner.count_turns([SHORT, IDLE], [ONE, TWO], scale) == len(taken)
    assert results.values(("conns-50", "one"), "rps") == [1, 5]


def test_without_time_turns_are_skipped_and_told(taken: list[tuple[str, str]]) -> None:
    results = runner.run([SHORT], [ONE, TWO], Scale(limit=0), 1000, lambda text: None)
    assert taken == []
    run = Run({}, [SHORT], [ONE, TWO], QUICK, results)
    assert "conns-50: no time was left for all turns of one, two" in run.remarks()


@pytest.mark.parametrize(
    ("requests", "troubles", "verdict"),
    [
        (5, {}, ""),
        (0, {"unanswered": 5}, "no request was answered: said"),
        (5, {"lost": 2, "refused": 1, "unanswered": 9}, "3 connections were refused or ended: said"),
        (5, {"unanswered": 45}, "45 of 50 connections waited in vain"),
        (5, {"wrong": 1, "errors": 7}, "1 wrong replies: said"),
        (5, {"errors": 7}, "7 error replies: said"),
        (5, {"overdue": 7}, "7 requests could not be sent in their time"),
    ],
)
def test_verdicts(requests: int, troubles: dict[str, int], verdict: str) -> None:
    assert measure._verdict(50, requests, NOTHING | troubles, ": said") == verdict


def test_a_server_that_does_not_start_is_a_failure_not_an_exception() -> None:
    target = Target("broken", "", ("/bin/sh", "-c", "echo no such model; exit 1", "sh"))
    reading = measure.measure(SHORT, target, QUICK, 1000)
    assert reading.failure == "broken did not start: no such model"
    missing = Target("missing", "", ("/nowhere/at/all",))
    assert "No such file" in measure.measure(SHORT, missing, QUICK, 1000).failure


def test_every_scenario_is_in_a_group_and_named_by_itself() -> None:
    assert {scenario.group for scenario in SCENARIOS.values()} == {group.name for group in GROUPS}
    assert all(name == scenario.name for name, scenario in SCENARIOS.items())


def test_a_server_that_takes_too_much_memory_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "available_memory", lambda: 0.1)
    (target,), _ = targets.find_targets(["epoll"])
    reading = measure.measure(SHORT, target, QUICK, 1000)
    assert reading.failure.startswith("the machine's memory ran low after")
