"""The terminal: a progress bar during the run, tables after it."""

import itertools
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from minikv.compare import machine, runner
from minikv.compare.results import METRICS, Results
from minikv.compare.runner import Run
from minikv.compare.scenarios import Scale, Scenario
from minikv.compare.targets import Target

COLUMNS = {  # headings short enough for a terminal
    "rps": "req/s",
    "cpu_us": "CPU µs",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "p999_ms": "p99.9",
    "syscalls": "calls",
    "switches": "switches",
    "kib_per_connection": "KiB/conn",
    "idle_cpu": "idle CPU %",
    "processes": "procs",
    "threads": "threads",
}
LEGEND = (
    "CPU, calls (system calls) and switches (of context) are the server's, per request; latencies in ms; "
    "? = unknown, the report says why"
)
NARROW = 110  # columns of a terminal below which the less important figures are left out
LEFT_OUT_IF_NARROW = ("p999_ms", "switches", "processes", "threads")
UNKNOWN = "?"
WIDE = 160  # columns where the output is no terminal


def run_with_progress(
    scenarios: Sequence[Scenario], targets: Sequence[Target], scale: Scale, file_limit: int
) -> Results:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:30}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # Drawn at each turn only: a refreshing thread would share the load generator's core.
    with (
        machine.pinned(*machine.LOAD_CORES),
        Progress(*columns, console=console, auto_refresh=False) as bar,
    ):
        total = runner.count_turns(scenarios, targets, scale)
        task = bar.add_task("", total=total)
        started = itertools.count()

        def announce(text: str) -> None:
            bar.update(task, description=text, completed=next(started), refresh=True)

        results = runner.run(scenarios, targets, scale, file_limit, announce)
        bar.update(task, description="done", completed=total, refresh=True)
    return results


def cell(results: Results, key: tuple[str, str], metric: str) -> str:
    """A figure; ? if it is unknown, nothing if it was not asked for."""
    value = results.median(key, metric)
    if value is not None:
        return METRICS[metric].text(value)
    return UNKNOWN if results.unknown(key, metric) else ""


def scenario_table(run: Run, scenario: Scenario, is_narrow: bool = False) -> Table | None:
    """Targets by metrics; None if nothing was measured."""
    left_out = LEFT_OUT_IF_NARROW if is_narrow else ()
    keys = [(scenario.name, name) for name in run.names() if (scenario.name, name) in run.results.readings]
    if not keys:
        return None
    metrics = [
        metric
        for metric in COLUMNS
        if metric not in left_out and any(cell(run.results, key, metric) for key in keys)
    ]
    table = Table(title=f"{scenario.name}: {scenario.title}", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("", no_wrap=True)
    for metric in metrics:
        table.add_column(COLUMNS[metric], justify="right", no_wrap=True)
    if any(run.results.failure(key) for key in keys):
        table.add_column("failure")
    for key in keys:
        failure = run.results.failure(key)
        figures = [cell(run.results, key, metric) for metric in metrics]
        table.add_row(key[1], *figures, *([failure] if failure else []), style="dim" if failure else "")
    return table


def print_run(run: Run) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, WIDE)
    for scenario in run.scenarios:
        table = scenario_table(run, scenario, console.width < NARROW)
        if table is not None:
            console.print(table)
    console.print(LEGEND)
    if run.was_busy():
        console.print(
            "the machine was busy with other work at the start: throughput and latency suffer from it"
        )
    for line in run.remarks():
        console.print(line, markup=False)
