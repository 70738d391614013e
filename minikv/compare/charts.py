"""Charts as Vega-Lite specifications, for the page and for pictures. Colours are named in `COLOURS`."""

import json
import math
import re
from collections.abc import Sequence
from typing import Any

from minikv.compare.results import METRICS
from minikv.compare.runner import Run
from minikv.compare.scenarios import Scenario

Spec = dict[str, Any]
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
ROW = 22  # pixels a bar
ROOM_FOR_LABEL = 1.3  # of the longest bar: its figure is written behind it
LATENCIES = {"p50_ms": "p50", "p99_ms": "p99", "p999_ms": "p99.9"}
COLOURS = {
    "light": {
        "model": "#0f766e",
        "peer": "#8a8f98",
        "fail": "#c2410c",
        "text": "#1f2328",
        "grid": "#dfe3e8",
        "ground": "#ffffff",
    },
    "dark": {
        "model": "#2dd4bf",
        "peer": "#8b949e",
        "fail": "#fb923c",
        "text": "#e6edf3",
        "grid": "#30363d",
        "ground": "#0d1117",
    },
}


def short(value: float) -> str:
    """Three digits; from ten thousand as k, from a million as M."""
    for least, size, letter in ((1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if value >= least:
            return f"{value / size:.3g} {letter}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _rows(run: Run, scenario: Scenario, metric: str) -> list[dict[str, Any]]:
    rows = []
    for target in run.targets:
        key = (scenario.name, target.name)
        value, failure = run.results.median(key, metric), run.results.failure(key)
        if value is None and not failure:
            continue
        spread = run.results.values(key, metric)
        rows.append(
            {
                "name": target.name,
                "value": value,
                "label": ("✕ " if failure else "") + ("no figure" if value is None else short(value)),
                "kind": "fail" if failure else "peer" if target.is_peer else "model",
                "outcome": failure or "all requests answered",
                "range": " to ".join(short(end) for end in (min(spread), max(spread)))
                if len(spread) > 1
                else "",
            }
        )
    return rows


def _names(rows: Sequence[dict[str, Any]], lower_is_better: bool) -> list[str]:
    """The best first; failed ones at the end."""

    def rank(row: dict[str, Any]) -> tuple[bool, bool, float]:
        value = row["value"] or 0
        return row["kind"] == "fail", row["value"] is None, value if lower_is_better else -value

    return [row["name"] for row in sorted(rows, key=rank)]


def _base(title: str, rows: Sequence[dict[str, Any]], names: list[str]) -> Spec:
    return {
        "$schema": SCHEMA,
        "title": {"text": title, "anchor": "start", "fontSize": 13, "fontWeight": 600},
        "width": "container",
        "height": {"step": ROW},
        "data": {"values": list(rows)},
        "encoding": {
            "y": {
                "field": "name",
                "type": "nominal",
                "sort": names,
                "axis": {"title": None, "ticks": False, "domain": False, "labelLimit": 90},
            }
        },
    }


def bars(run: Run, scenario: Scenario, metric_name: str) -> Spec | None:
    """One bar a target; None if there is no figure at all."""
    metric = METRICS[metric_name]
    rows = _rows(run, scenario, metric_name)
    largest = max((row["value"] for row in rows if row["value"] is not None), default=None)
    if largest is None:
        return None
    x = {
        "field": "value",
        "type": "quantitative",
        "scale": {"domain": [0, largest * ROOM_FOR_LABEL or 1], "nice": False},
        "axis": {
            "title": metric.unit or metric.title,
            "tickCount": 4,
            "format": "~s",
            "labelExpr": "datum.value ? datum.label : '0'",
            "grid": False,
        },
    }
    tooltip = [
        {"field": "name", "title": "server"},
        {"field": "value", "title": metric.title, "format": ",.4~r"},
        {"field": "range", "title": "from round to round"},
        {"field": "outcome", "title": "outcome"},
    ]
    spec = _base(f"{metric.title[0].upper()}{metric.title[1:]}", rows, _names(rows, metric.lower_is_better))
    spec["encoding"] |= {"x": x, "tooltip": tooltip}
    colour = {"field": "kind", "type": "nominal", "scale": _colour_scale(), "legend": None}
    spec["layer"] = [
        {"mark": {"type": "bar", "cornerRadiusEnd": 2}, "encoding": {"color": colour, "opacity": _opacity()}},
        {
            "transform": [{"calculate": "isValid(datum.value) ? datum.value : 0", "as": "end"}],
            "mark": {"type": "text", "align": "left", "dx": 4, "fontSize": 11},
            "encoding": {"x": x | {"field": "end"}, "text": {"field": "label"}},
        },
    ]
    return spec


def _colour_scale() -> Spec:
    """The page puts colours in the place of the names."""
    return {"domain": ["model", "peer", "fail"], "range": ["$model", "$peer", "$fail"]}


def _opacity() -> Spec:
    return {"condition": {"test": "datum.kind === 'fail'", "value": 0.45}, "value": 1}


def latencies(run: Run, scenario: Scenario) -> Spec | None:
    """From p50 to p99.9, a line a target on a logarithmic axis; None if there is no figure at all."""
    rows = []
    for metric, name in LATENCIES.items():
        for row in _rows(run, scenario, metric):
            if row["value"]:
                rows.append(row | {"percentile": name})
    if not rows:
        return None
    names = _names([row for row in rows if row["percentile"] == "p99"], True)
    figures = [row["value"] for row in rows]
    low, high = math.floor(math.log10(min(figures))), math.ceil(math.log10(max(figures)))
    spec = _base("Latency: p50, p99 and p99.9", rows, names)
    spec["encoding"]["x"] = {
        "field": "value",
        "type": "quantitative",
        "scale": {"type": "log", "domain": [10**low, 10**high], "nice": False},
        "axis": {
            "title": "ms, logarithmic",
            "values": [10**power for power in range(low, high + 1)],
            "format": "~r",
        },
    }
    tooltip = [
        {"field": "name", "title": "server"},
        {"field": "percentile"},
        {"field": "value", "title": "ms", "format": ",.4~r"},
        {"field": "outcome", "title": "outcome"},
    ]
    colour = {"field": "kind", "type": "nominal", "scale": _colour_scale(), "legend": None}
    shape = {
        "field": "percentile",
        "type": "nominal",
        "scale": {"domain": list(LATENCIES.values()), "range": ["circle", "triangle-right", "diamond"]},
        "legend": {
            "orient": "bottom",
            "title": None,
            "symbolFillColor": "$text",
            "symbolStrokeColor": "$text",
        },
    }
    spec["layer"] = [
        {
            "mark": {"type": "line", "strokeWidth": 1.5},
            "encoding": {"detail": {"field": "name"}, "color": colour},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
            "encoding": {"color": colour, "shape": shape, "tooltip": tooltip},
        },
    ]
    return spec


def panels(run: Run, scenario: Scenario) -> list[Spec]:
    """The charts of a scenario."""
    if scenario.idle:
        candidates = [bars(run, scenario, name) for name in ("kib_per_connection", "idle_cpu", "threads")]
    else:
        candidates = [bars(run, scenario, "rps"), bars(run, scenario, "cpu_us"), latencies(run, scenario)]
        if scenario.traced:
            candidates.append(bars(run, scenario, "syscalls"))
    return [spec for spec in candidates if spec is not None]


def config(theme: str) -> Spec:
    """The look of all charts, for one theme."""
    colours = COLOURS[theme]
    return {
        "background": "transparent",
        "font": "system-ui, sans-serif",
        "title": {"color": colours["text"]},
        "axis": {
            "labelColor": colours["text"],
            "titleColor": colours["text"],
            "gridColor": colours["grid"],
            "domainColor": colours["grid"],
            "tickColor": colours["grid"],
            "titleFontWeight": "normal",
            "labelFontSize": 11,
        },
        "axisY": {"grid": False},
        "legend": {"labelColor": colours["text"], "labelFontSize": 11},
        "text": {"color": colours["text"]},
        "view": {"stroke": None},
    }


def coloured(spec: Spec, theme: str) -> Spec:
    """The specification with colours in the place of their names, for a picture; the page does the same."""
    text = re.sub(r'"\$(\w+)"(?!:)', lambda name: json.dumps(COLOURS[theme][name[1]]), json.dumps(spec))
    filled: Spec = json.loads(text)
    return filled | {"config": config(theme) | {"background": COLOURS[theme]["ground"]}, "padding": 12}
