"""What a run leaves behind: figures, one page that needs nothing but itself, and a picture for a README."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jinja2
import vl_convert

from minikv.compare import charts
from minikv.compare.results import METRICS
from minikv.compare.runner import Run
from minikv.compare.scenarios import GROUPS, Group, Scenario
from minikv.version import __version__

GLANCE = {"rps": "requests per second", "cpu_us": "server CPU per request, µs", "p99_ms": "latency p99, ms"}
DETAILS = [name for name in METRICS if name not in ("server_busy", "load_busy")]
PICTURED = "conns-50"  # the scenario of the picture, and the one that the page opens with
CALLS_SHOWN = 6  # system calls of a request that the page names
FEWEST_CALLS = 0.005  # per request: rarer ones are timers
PICTURE_PANELS = 3
PICTURE_WIDTH = 380  # pixels a panel


def write(run: Run, folder: Path) -> list[Path]:
    """Write everything into a folder that is there; returns the paths."""
    figures, page = folder / "results.json", folder / "report.html"
    figures.write_text(as_json(run), encoding="utf-8")
    page.write_text(as_html(run), encoding="utf-8")
    return [figures, page, *_pictures(run, folder)]


def as_json(run: Run) -> str:
    readings = [
        {
            "scenario": key[0],
            "model": key[1],
            "medians": {name: run.results.median(key, name) for name in METRICS},
            "failure": run.results.failure(key),
            "turns": [asdict(reading) for reading in taken],
        }
        for key, taken in run.results.readings.items()
    ]
    document = {
        "minikv": __version__,
        "facts": run.facts,
        "scale": asdict(run.scale),
        "models": {target.name: target.summary for target in run.targets},
        "scenarios": {scenario.name: asdict(scenario) for scenario in run.scenarios},
        "readings": readings,
        "remarks": run.remarks(),
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def as_html(run: Run) -> str:
    """The page, with the charts' library inside."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("minikv.compare", "page"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    specs = {scenario.name: charts.panels(run, scenario) for scenario in run.scenarios}
    return environment.get_template("report.html").render(
        version=__version__,
        run=run,
        glances=[_glance(run, metric, title) for metric, title in GLANCE.items()],
        groups=[_group(run, group, specs) for group in GROUPS if _members(run, group.name)],
        failures=_failures(run),
        data={
            "specs": specs,
            "colours": charts.COLOURS,
            "config": {n: charts.config(n) for n in charts.COLOURS},
        },
        # A closing tag inside the library would end the script.
        library=vl_convert.javascript_bundle(_own_script()).replace("</script", "<\\/script"),
    )


def _own_script() -> str:
    return (Path(__file__).parent / "page" / "report.js").read_text(encoding="utf-8")


def _members(run: Run, group: str) -> list[Scenario]:
    return [scenario for scenario in run.scenarios if scenario.group == group]


def _glance(run: Run, metric: str, title: str) -> dict[str, Any]:
    """A table of targets by scenarios: figures, and how near each is to the best of its column."""
    scenarios = [scenario for scenario in run.scenarios if not scenario.idle]
    best = {scenario.name: run.results.best(scenario.name, run.names(), metric) for scenario in scenarios}
    rows = []
    for target in run.targets:
        cells = []
        for scenario in scenarios:
            key = (scenario.name, target.name)
            value, leader = run.results.median(key, metric), best[scenario.name]
            share = 0.0
            if value and leader:
                share = min(1.0, leader / value if METRICS[metric].lower_is_better else value / leader)
            cells.append(
                {
                    "text": "" if value is None else charts.short(value),
                    "share": round(share * 100),
                    "failure": run.results.failure(key),
                    "is_best": value is not None and value == leader,
                }
            )
        rows.append((target, cells))
    return {"metric": metric, "title": title, "scenarios": scenarios, "rows": rows}


def _group(run: Run, group: Group, specs: dict[str, Any]) -> dict[str, Any]:
    members = _members(run, group.name)
    return {
        "group": group,
        "scenarios": members,
        "chosen": next((scenario for scenario in members if scenario.name == PICTURED), members[0]),
        "tables": {scenario.name: _details(run, scenario) for scenario in members},
        "panels": {scenario.name: len(specs[scenario.name]) for scenario in members},
    }


def _details(run: Run, scenario: Scenario) -> dict[str, Any]:
    """Everything measured of a scenario, targets by metrics."""
    keys = {name: (scenario.name, name) for name in run.names()}
    metrics = [
        METRICS[metric]
        for metric in DETAILS
        if any(run.results.values(key, metric) or run.results.unknown(key, metric) for key in keys.values())
    ]
    rows = []
    for name, key in keys.items():
        medians = [(metric, run.results.median(key, metric.name)) for metric in metrics]
        cells = [
            ("?" if value is None and run.results.unknown(key, metric.name) else "") if value is None
            else metric.text(value)
            for metric, value in medians
        ]  # fmt: skip
        calls = [
            f"{charts.short(count)} {call}"
            for call, count in run.results.calls(key).items()
            if count >= FEWEST_CALLS
        ]
        untold = "no time was left" if key in run.results.skipped and key not in run.results.readings else ""
        rows.append((name, cells, ", ".join(calls[:CALLS_SHOWN]), run.results.failure(key) or untold))
    reasons = {
        f"{metric.title} of {name}: {reason}": None
        for metric in metrics
        for name, key in keys.items()
        if (reason := run.results.unknown(key, metric.name))
    }
    return {
        "metrics": metrics,
        "rows": rows,
        "reasons": list(reasons),
        "has_failures": any(failure for *_, failure in rows),
    }


def _failures(run: Run) -> list[tuple[str, str, str]]:
    return [
        (scenario.title, name, failure)
        for scenario in run.scenarios
        for name in run.names()
        if (failure := run.results.failure((scenario.name, name)))
    ]


def _pictures(run: Run, folder: Path) -> list[Path]:
    """The charts of one scenario, side by side, for each theme."""
    scenario = next((scenario for scenario in run.scenarios if scenario.name == PICTURED), None)
    specs = charts.panels(run, scenario)[:PICTURE_PANELS] if scenario else []
    paths = []
    for theme in charts.COLOURS if specs else ():
        side_by_side = {
            "$schema": charts.SCHEMA,
            "hconcat": [spec | {"width": PICTURE_WIDTH} for spec in specs],
            "resolve": {"legend": {"shape": "independent"}},
        }
        path = folder / f"chart-{theme}.png"
        path.write_bytes(vl_convert.vegalite_to_png(charts.coloured(side_by_side, theme), scale=2))
        paths.append(path)
    return paths
