"""minikv/compare: table, charts, report on made-up figures, and the page in a real browser."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rich", reason="the extra 'compare' is not installed")
pytest.importorskip("jinja2", reason="the extra 'compare' is not installed")
pytest.importorskip("vl_convert", reason="the extra 'compare' is not installed")

import vl_convert

from minikv.compare import charts, report, table
from minikv.compare.results import METRICS, Reading, Results
from minikv.compare.runner import Run
from minikv.compare.scenarios import QUICK, SCENARIOS
from minikv.compare.targets import Target

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TARGETS = [
    Target("epoll", "one thread <& more>", ("minikv",), "ext/minikv_core/io_epoll.pyx"),
    Target("prefork", "a pool of processes", ("minikv",), "minikv/prefork.py"),
    Target("redis", "Redis as it comes (8.2.3)", ("redis-server",), is_peer=True),
]


def reading(number: int, failure: str = "") -> Reading:
    values = {name: float(number) for name in METRICS}
    values |= {"rps": 50_000 / number, "p50_ms": 0.5, "p99_ms": 1.0 * number, "p999_ms": 4.0 * number}
    return Reading(values, calls={"recvfrom": 1.0, "epoll_wait": 0.25, "read": 0.001}, failure=failure)


@pytest.fixture
def run() -> Run:
    results = Results()
    for scenario in SCENARIOS:
        results.add((scenario, "epoll"), reading(1))
        results.add((scenario, "epoll"), reading(2))
        results.add((scenario, "redis"), reading(3))
        results.add((scenario, "prefork"), reading(4, "45 of 50 connections waited in vain"))
    none = Reading(failure="no request was answered", unknown={"syscalls": "strace is not installed"})
    results.readings["slow", "prefork"] = [none]
    results.skipped["paced", "spin"] = None
    return Run(
        {"processor": "one <fast> core", "load average at the start": "0.10"},
        list(SCENARIOS.values()),
        TARGETS,
        QUICK,
        results,
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.01234, "0.0123"),
        (9.876, "9.88"),
        (123.4, "123"),
        (9_999, "9,999"),
        (12_345, "12.3 k"),
        (2.5e6, "2.5 M"),
    ],
)
def test_short(value: float, text: str) -> None:
    assert charts.short(value) == text


def test_every_chart_compiles(run: Run) -> None:
    for scenario in run.scenarios:
        panels = charts.panels(run, scenario)
        assert len(panels) == (4 if scenario.traced else 3)
        for spec in panels:
            for theme in charts.COLOURS:
                drawn = vl_convert.vegalite_to_svg(charts.coloured(spec | {"width": 300}, theme))
                assert "redis" in drawn
                assert "NaN" not in drawn


def bars(run: Run, scenario: str) -> dict[str, Any]:
    spec = charts.bars(run, SCENARIOS[scenario], "rps")
    assert spec is not None
    return spec


def test_a_failure_is_in_the_chart_with_its_mark_and_reason(run: Run) -> None:
    rows = bars(run, "conns-50")["data"]["values"]
    (failed,) = [row for row in rows if row["kind"] == "fail"]
    assert failed["name"] == "prefork"
    assert failed["label"] == "✕ 12.5 k"
    assert failed["outcome"] == "45 of 50 connections waited in vain"


def test_failed_servers_come_last_and_a_missing_figure_is_named(run: Run) -> None:
    spec = bars(run, "slow")
    assert spec["encoding"]["y"]["sort"] == ["epoll", "redis", "prefork"]
    assert spec["data"]["values"][1]["label"] == "✕ no figure"


def test_no_chart_without_figures(run: Run) -> None:
    run.results.readings.clear()
    assert charts.panels(run, SCENARIOS["conns-50"]) == []
    assert "<div data-chart=" not in report.as_html(run)


def test_terminal_table(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    table.print_run(run)
    printed = capsys.readouterr().out
    assert "conns-50: 50 connections" in printed
    assert "45 of 50 connections waited in vain" in printed
    assert "37,500" in printed  # the median of 50,000 and 25,000
    assert "paced: no time was left for all turns of spin" in printed


def test_json_has_everything(run: Run) -> None:
    document = json.loads(report.as_json(run))
    assert len(document["readings"]) == 3 * len(SCENARIOS)
    first = document["readings"][0]
    assert (first["scenario"], first["model"], first["medians"]["rps"]) == ("conns-1", "epoll", 37_500)
    assert [turn["values"]["rps"] for turn in first["turns"]] == [50_000, 25_000]
    assert document["facts"]["processor"] == "one <fast> core"


class Links(HTMLParser):
    """Collects what a browser would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found += [
            value or "" for name, value in attributes if name in ("src", "href", "srcset", "poster", "data")
        ]


def test_the_page_refers_to_nothing_outside_itself(run: Run) -> None:
    page = report.as_html(run)
    assert all(link.startswith("#") for link in Links(page).found)
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style and "url(" not in style[1] and "@import" not in style[1]


def test_the_page_says_what_failed_and_what_is_unknown(run: Run) -> None:
    page = report.as_html(run)
    assert "one thread &lt;&amp; more&gt;" in page
    assert "one &lt;fast&gt; core" in page
    assert page.count("45 of 50 connections waited in vain") > len(SCENARIOS)
    assert "system calls per request of prefork: strace is not installed" in page
    assert "1 recvfrom, 0.25 epoll_wait</td>" in page
    assert "One round only" in page


def test_files(run: Run, tmp_path: Path) -> None:
    paths = report.write(run, tmp_path)
    assert [path.name for path in paths] == [
        "results.json",
        "report.html",
        "chart-light.png",
        "chart-dark.png",
    ]
    assert all(path.stat().st_size > 10_000 for path in paths[1:])


# Says how far the page is wider than the window, once it has drawn itself.
OVERFLOW = """<script type="module">
const page = document.documentElement
const timer = setInterval(() => {
  if (!page.dataset.drawn) return
  clearInterval(timer)
  page.dataset.overflow = page.scrollWidth - window.innerWidth
}, 50)
</script>"""


def chromium(folder: Path, width: int, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    """Run it headless, with no host reachable."""
    assert CHROMIUM
    quiet = ("gpu", "quic", "background-networking", "component-update", "sync")
    options = [f"--disable-{feature}" for feature in quiet]
    options += ["--headless", "--no-sandbox", "--hide-scrollbars", "--virtual-time-budget=10000"]
    options += ["--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder / 'profile'}"]
    command = [CHROMIUM, *options, f"--window-size={width},2000", *arguments]
    return subprocess.run(command, capture_output=True, timeout=55)


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
@pytest.mark.parametrize("width", [1280, 500])  # a laptop, and the narrowest window that it opens
def test_the_page_draws_itself_in_a_browser(run: Run, tmp_path: Path, width: int) -> None:
    page, picture = tmp_path / "report.html", tmp_path / "report.png"
    page.write_text(report.as_html(run) + OVERFLOW)
    done = chromium(tmp_path, width, "--dump-dom", page.as_uri())
    document = done.stdout.decode()
    assert 'data-drawn="yes"' in document, done.stderr.decode()[-2000:]
    assert 'data-overflow="0"' in document
    assert document.count("<svg") >= 3 * len({scenario.group for scenario in run.scenarios})
    chromium(tmp_path, width, f"--screenshot={picture}", page.as_uri())
    assert picture.stat().st_size > 50_000
