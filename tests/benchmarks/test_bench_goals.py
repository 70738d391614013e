"""benchmarks/goals.py: every goal names something that is measured, and is judged by its bound."""

import pytest

from benchmarks.goals import GOALS, Goal, judge
from benchmarks.results import METRICS, Results, readings
from benchmarks.scenarios import SCENARIOS, Scale

CASES = {scenario.name: [*scenario(Scale()).cases(), "idle"] for scenario in SCENARIOS}


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: goal.title)
def test_goal_names_a_measured_case(goal: Goal) -> None:
    scenario, case, metric = goal.key
    assert case in CASES[scenario]
    assert METRICS[metric].lower_is_better


def test_goals_are_distinct() -> None:
    assert len({goal.key for goal in GOALS}) == len(GOALS)


@pytest.mark.parametrize(
    ("ours", "word"), [(5.0, "pass"), (6.0, "pass"), (6.1, "FAIL")], ids=["below", "at", "above"]
)
@pytest.mark.parametrize(("absolute", "at_most"), [(False, 0.6), (True, 6.0)])
def test_verdict(ours: float, word: str, absolute: bool, at_most: float) -> None:
    results = Results()
    results.add("cpu", "minikv", readings("GET P1", cpu_us=ours))
    results.add("cpu", "redis", readings("GET P1", cpu_us=10.0))
    goal = Goal(("cpu", "GET P1", "cpu_us"), "a goal", at_most, absolute)
    assert judge(results, goal).word == word


def test_verdict_without_figures() -> None:
    assert {judge(Results(), goal).word for goal in GOALS} == {"not measured"}
