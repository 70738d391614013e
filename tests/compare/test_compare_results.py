"""minikv/compare/results.py: medians, failures, what is best, who set the pace."""

import pytest

from minikv.compare.results import METRICS, Reading, Results, generator_was_bottleneck

KEY = ("conns-50", "epoll")


def results(*readings: Reading, key: tuple[str, str] = KEY) -> Results:
    taken = Results()
    for reading in readings:
        taken.add(key, reading)
    return taken


def test_median_of_the_rounds() -> None:
    taken = results(*(Reading({"rps": value}) for value in (30, 10, 20)))
    assert taken.median(KEY, "rps") == 20
    assert taken.values(KEY, "rps") == [30, 10, 20]
    assert taken.median(KEY, "cpu_us") is None
    assert taken.median(("conns-50", "poll"), "rps") is None


def test_one_failure_of_several_rounds_is_a_failure() -> None:
    taken = results(Reading({"rps": 1}), Reading({"rps": 2}, failure="it ended"))
    assert taken.failure(KEY) == "it ended"
    assert taken.failure(("slow", "epoll")) == ""


def test_why_a_figure_is_unknown() -> None:
    taken = results(Reading(), Reading(unknown={"syscalls": "strace is not installed"}))
    assert taken.unknown(KEY, "syscalls") == "strace is not installed"
    assert taken.unknown(KEY, "switches") == ""


def test_calls_are_averaged_over_the_rounds_that_counted_them() -> None:
    taken = results(
        Reading(calls={"recv": 1, "epoll_wait": 0.5}), Reading(calls={"recv": 1, "send": 2}), Reading()
    )
    assert taken.calls(KEY) == {"recv": 1, "send": 1, "epoll_wait": 0.25}
    assert list(taken.calls(KEY))[-1] == "epoll_wait"


def test_notes_once() -> None:
    taken = results(Reading(notes=["fewer"]), Reading(notes=["fewer", "late"]))
    assert taken.notes(KEY) == ["fewer", "late"]


def test_the_best_did_all_that_was_asked() -> None:
    taken = results(Reading({"rps": 10, "cpu_us": 9}))
    taken.add(("conns-50", "poll"), Reading({"rps": 20, "cpu_us": 8}))
    taken.add(("conns-50", "select"), Reading({"rps": 99, "cpu_us": 1}, failure="refused"))
    names = ["epoll", "poll", "select", "spin"]
    assert taken.best("conns-50", names, "rps") == 20
    assert taken.best("conns-50", names, "cpu_us") == 8
    assert taken.best("slow", names, "rps") is None


@pytest.mark.parametrize(
    ("generator", "server", "was"),
    [(1.0, 0.8, True), (0.96, 0.95, True), (1.0, 1.0, False), (0.9, 0.5, False)],
)
def test_the_generator_is_the_bottleneck_if_it_is_full_and_the_server_is_not(
    generator: float, server: float, was: bool
) -> None:
    assert generator_was_bottleneck(generator, server) is was
    taken = results(Reading({"load_busy": generator, "server_busy": server}))
    assert bool(taken.bottlenecks()) is was


def test_metrics_are_written_with_their_digits() -> None:
    assert METRICS["rps"].text(12345.6) == "12,346"
    assert METRICS["cpu_us"].text(9.876) == "9.88"
