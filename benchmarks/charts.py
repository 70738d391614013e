"""One PNG a scenario: grouped bars, or lines where the cases lie along an axis."""

import math
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot
from matplotlib.axes import Axes

from benchmarks.report import Run
from benchmarks.results import METRICS
from benchmarks.scenarios.base import Panel, Scenario
from minikv.compare.peers import OURS

COLOURS = {OURS: "#0f766e", "redis": "#d1493f", "valkey": "#6983ff"}
PANELS_PER_ROW = 3
PANEL_INCHES = (5.2, 3.8)


def short(value: float) -> str:
    """Three digits; from ten thousand as k, from a million as M."""
    if value >= 1e6:
        return f"{value / 1e6:.3g} M"
    if value >= 1e4:
        return f"{value / 1e3:.3g} k"
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def draw_panel(axes: Axes, run: Run, scenario: Scenario, panel: Panel) -> None:
    metric = METRICS[panel.metric]
    cases = [case for case in panel.cases if (scenario.name, case, panel.metric) in run.results.values]
    width = 0.8 / len(run.peers)
    for number, peer in enumerate(run.peers):
        medians = [run.results.median((scenario.name, case, panel.metric), peer.name) for case in cases]
        heights = [math.nan if median is None else median for median in medians]
        label = f"{peer.name} {peer.version}"
        colour = COLOURS[peer.name]
        if panel.as_lines:
            axes.plot(range(len(cases)), heights, marker="o", label=label, color=colour)
        else:
            offset = (number - (len(run.peers) - 1) / 2) * width
            bars = axes.bar(
                [x + offset for x in range(len(cases))], heights, width, label=label, color=colour
            )
            axes.bar_label(bars, fmt=short, fontsize=7)
    axes.set_xticks(range(len(cases)), [case.replace(", ", ",\n") for case in cases], fontsize=8)
    axes.set_title(panel.title, fontsize=10)
    axes.set_ylabel(metric.unit)
    axes.set_ylim(bottom=0)
    axes.margins(y=0.15)
    axes.yaxis.set_major_formatter(lambda value, _: short(value))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)


def draw_scenario(run: Run, scenario: Scenario, path: Path) -> None:
    panels = scenario.panels()
    wide = min(len(panels), PANELS_PER_ROW)
    high = math.ceil(len(panels) / wide)
    size = (PANEL_INCHES[0] * wide, PANEL_INCHES[1] * high + 0.6)
    figure, grid = pyplot.subplots(high, wide, figsize=size, squeeze=False, layout="constrained")
    for axes, panel in zip(grid.flat, panels, strict=False):
        draw_panel(axes, run, scenario, panel)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    figure.suptitle(scenario.title)
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def draw(run: Run, folder: Path) -> dict[str, str]:
    """Draw every scenario that has figures; the file name of each by scenario."""
    folder.mkdir(parents=True, exist_ok=True)
    names = {}
    for scenario in run.scenarios:
        if run.metrics(scenario):
            names[scenario.name] = f"{scenario.name}.png"
            draw_scenario(run, scenario, folder / names[scenario.name])
    return names
