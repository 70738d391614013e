"""What a run leaves behind: tables in the terminal, a Markdown page and a JSON file."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import goals
from benchmarks.goals import Verdict
from benchmarks.results import METRICS, Key, Results
from benchmarks.scenarios import Scenario
from minikv.compare.peers import OURS, Peer

NOTHING = "-"


@dataclass(frozen=True)
class Run:
    """Everything a report is made from."""

    facts: dict[str, str]
    peers: Sequence[Peer]
    scenarios: Sequence[Scenario]
    results: Results

    @property
    def servers(self) -> list[str]:
        return [peer.name for peer in self.peers]

    def keys(self, scenario: Scenario, metric: str) -> list[Key]:
        return [key for key in self.results.values if key[0] == scenario.name and key[2] == metric]

    def metrics(self, scenario: Scenario) -> list[str]:
        return list(dict.fromkeys(key[2] for key in self.results.values if key[0] == scenario.name))


def ratio_text(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.2f}"


def metric_heading(name: str) -> str:
    metric = METRICS[name]
    return f"{metric.title}, {metric.unit}" if metric.unit else metric.title


def cells(run: Run, key: Key) -> list[str]:
    """Each server's median and the ratio."""
    medians = run.results.medians(key)
    write = METRICS[key[2]].text
    texts = [write(medians[server]) if server in medians else NOTHING for server in run.servers]
    return [*texts, ratio_text(run.results.ratio(key))]


def goal_row(verdict: Verdict) -> list[str]:
    kind = "absolute" if verdict.goal.absolute else "ratio"
    # A digit more than the bounds have, so that a near miss does not look like a hit.
    measured = NOTHING if verdict.measured is None else f"{verdict.measured:.3f}"
    return [
        verdict.goal.title,
        kind,
        f"{verdict.goal.at_most:.2f}",
        measured,
        verdict.word,
    ]


TEXT_HEADINGS = ("case", "measure", "goal")  # columns of words; the others hold figures
GOAL_HEADINGS = ["goal", "kind", "at most", "measured", "verdict"]


def columns(run: Run) -> list[str]:
    return [*(f"{peer.name} {peer.version}" for peer in run.peers), "ratio"]


# The terminal


def terminal_table(headings: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for heading in headings:
        table.add_column(heading, justify="left" if heading in TEXT_HEADINGS else "right")
    return table


def print_run(console: Console, run: Run) -> None:
    """The headline metrics of each scenario, the goals, and what a reader must know about the figures."""
    for scenario in run.scenarios:
        if not run.metrics(scenario):
            continue
        table = terminal_table(["case", "measure", *columns(run)])
        for metric in scenario.headline:
            for key in run.keys(scenario, metric):
                table.add_row(key[1], metric_heading(metric), *cells(run, key))
        console.print(f"\n{scenario.name}: {scenario.title}", highlight=False)
        console.print(table)
    if OURS in run.servers:
        table = terminal_table(GOAL_HEADINGS)
        for verdict in goals.verdicts(run.results):
            table.add_row(*goal_row(verdict))
        console.print("\ngoals", highlight=False)
        console.print(table)
    for line in run.results.bottlenecks() + run.results.failures:
        console.print(line, highlight=False, markup=False)


# Markdown


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---", *(["---:"] * (len(headings) - 1))]
    return "\n".join("| " + " | ".join(row) + " |" for row in [headings, rule, *rows]) + "\n"


def markdown(run: Run, charts: dict[str, str]) -> str:
    """The page that goes beside the figures; charts maps a scenario's name to its picture's file name."""
    parts = [
        "# Results\n",
        "Medians of one run; servers took turns. The ratio is minikv divided by the better of the others.\n",
        markdown_table(["", ""], [[name, value] for name, value in run.facts.items()]),
    ]
    if OURS in run.servers:
        rows = [goal_row(verdict) for verdict in goals.verdicts(run.results)]
        parts += ["## Goals\n", markdown_table(GOAL_HEADINGS, rows)]
    for scenario in run.scenarios:
        parts.append(f"## {scenario.name}: {scenario.title}\n")
        if scenario.name in charts:
            parts.append(f"![{scenario.title}]({charts[scenario.name]})\n")
        for metric in run.metrics(scenario):
            headings = [metric_heading(metric), *columns(run)]
            parts.append(
                markdown_table(headings, [[key[1], *cells(run, key)] for key in run.keys(scenario, metric)])
            )
    for heading, lines in (
        ("Where the load generator set the pace", run.results.bottlenecks()),
        ("What failed", run.results.failures),
    ):
        if lines:
            parts += [f"## {heading}\n", "\n".join(f"- {line}" for line in lines) + "\n"]
    return "\n".join(parts)


# JSON


def as_json(run: Run) -> str:
    readings = [
        {
            "scenario": key[0],
            "case": key[1],
            "metric": key[2],
            "unit": METRICS[key[2]].unit,
            "values": servers,
            "medians": run.results.medians(key),
            "ratio": run.results.ratio(key),
        }
        for key, servers in run.results.values.items()
    ]
    judged = [
        {
            "goal": verdict.goal.title,
            "absolute": verdict.goal.absolute,
            "at_most": verdict.goal.at_most,
            "measured": verdict.measured,
            "verdict": verdict.word,
        }
        for verdict in goals.verdicts(run.results)
    ]
    document = {
        "facts": run.facts,
        "servers": {peer.name: peer.version for peer in run.peers},
        "scale": asdict(run.scenarios[0].scale),
        "readings": readings,
        "goals": judged,
        "bottlenecks": run.results.bottlenecks(),
        "failures": run.results.failures,
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def write(run: Run, folder: Path, charts: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(as_json(run), encoding="utf-8")
    (folder / "README.md").write_text(markdown(run, charts), encoding="utf-8")
