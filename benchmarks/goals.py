"""What minikv promises, in one place.

A goal on a ratio bounds minikv's median divided by the better peer's in the same run; an absolute goal
bounds minikv's own median.
"""

from dataclasses import dataclass

from benchmarks.results import METRICS, Key, Results
from minikv.compare.peers import OURS


@dataclass(frozen=True)
class Goal:
    key: Key
    title: str
    at_most: float
    absolute: bool = False


@dataclass(frozen=True)
class Verdict:
    goal: Goal
    measured: float | None  # None if the run has no figure for it

    @property
    def word(self) -> str:
        if self.measured is None:
            return "not measured"
        return "pass" if self.measured <= self.goal.at_most else "FAIL"


def cpu(scenario: str, tests: str, pipeline: int, at_most: float, note: str = "") -> list[Goal]:
    depth = f"pipeline {pipeline}" if pipeline > 1 else "no pipeline"
    return [
        Goal((scenario, f"{test} P{pipeline}", "cpu_us"), f"CPU per request, {test}, {depth}{note}", at_most)
        for test in tests.split()
    ]


def elements(at_most: dict[str, float]) -> list[Goal]:
    return [
        Goal(("elements", case, "bytes_per_element"), f"bytes, {case}", bound)
        for case, bound in at_most.items()
    ]


def types(at_most: dict[str, float]) -> list[Goal]:
    return [
        Goal(("types", case, "cpu_us"), f"CPU per request, {case}, pipeline 16", bound)
        for case, bound in at_most.items()
    ]


GOALS = [
    *cpu("cpu", "SET GET", 1, 1.00),
    *cpu("cpu", "SET GET INCR", 16, 0.65),
    *cpu("cpu", "SET GET", 100, 0.30),
    *cpu("large", "SET GET", 100, 0.30, ", large keyspace"),
    *cpu("cpu", "MSET", 16, 0.50),
    Goal(("memory", "8 B values", "bytes_per_key"), "bytes per key, 8 B values", 0.60),
    Goal(("memory", "32 B values", "bytes_per_key"), "bytes per key, 32 B values", 0.67),
    Goal(("memory", "integer with expiry", "bytes_per_key"), "bytes per key, integer with expiry", 0.60),
    Goal(
        ("memory", "8 B values, growing", "bytes_per_key"),
        "bytes per key, 8 B values, mean of a doubling",
        0.62,
    ),
    Goal(("connections", "idle", "bytes_per_connection"), "bytes per idle connection", 0.50),
    Goal(("latency", "GET beside inserts", "p999_ms"), "p99.9 of GET beside inserts", 1.00),
    Goal(
        ("reclaim", "90 % deleted", "resident_over_used"),
        "resident / used after deleting 90 %",
        1.30,
        absolute=True,
    ),
    Goal(("expiry", "even", "late_worst_ms"), "worst lateness of an expired event, ms", 100.0, absolute=True),
    Goal(("expiry", "even", "server_busy"), "share of a core spent on expiry", 0.25, absolute=True),
    *elements(
        {
            "hash of 5 fields": 0.75,
            "one hash": 0.75,
            "one set": 0.75,
            "set of 10 integers": 0.75,
            "one sorted set": 0.68,
            "sorted set of 10 members": 0.75,
            "one list": 1.00,
            "one stream": 1.00,
        }
    ),
    *types(dict.fromkeys(("LPUSH", "RPUSH", "LPOP", "RPOP", "XADD"), 0.70)),
    *types(dict.fromkeys(("SADD", "HSET", "SPOP", "ZPOPMIN"), 0.65)),
    *types({"ZADD": 0.45}),
    *types(dict.fromkeys(("LRANGE_100", "LRANGE_600", "ZRANGEBYSCORE LIMIT 10", "SINTER"), 0.60)),
]


def judge(results: Results, goal: Goal) -> Verdict:
    assert METRICS[goal.key[2]].lower_is_better, "an upper bound needs a metric of which less is better"
    return Verdict(goal, results.median(goal.key, OURS) if goal.absolute else results.ratio(goal.key))


def verdicts(results: Results) -> list[Verdict]:
    return [judge(results, goal) for goal in GOALS]
