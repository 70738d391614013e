"""Writes the tables of I/O models into docs/io-models.md: `python -m minikv.model_docs FILE`.

The figures are those of the last full comparison, in benchmarks/results/compare.
"""

import json
import sys
from pathlib import Path

from minikv.models import MODELS

RESULTS = Path(__file__).parent.parent / "benchmarks/results/compare/results.json"
END = "<!-- end -->\n"
REFUSED = "SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE, MONITOR, CLIENT TRACKING; BLPOP and its like if they must wait"
MARK = "<!-- {}: written by `make docs` -->\n"
COLUMNS = (  # (title, scenario, metric, format)
    ("µs, 1 connection", "conns-1", "cpu_us", "{:.1f}"),
    ("µs, 50", "conns-50", "cpu_us", "{:.2f}"),
    ("µs, 500", "conns-500", "cpu_us", "{:.2f}"),
    ("µs, 10,000", "conns-10000", "cpu_us", "{:.2f}"),
    ("µs, 50, pipeline 16", "pipeline-16", "cpu_us", "{:.2f}"),
    ("µs, a connection each", "churn", "cpu_us", "{:.0f}"),
    ("p99 ms, 50", "conns-50", "p99_ms", "{:.2f}"),
    ("requests/s that wait 10 ms", "blocking", "rps", "{:,.0f}"),
    ("system calls a request, 50", "conns-50", "syscalls", "{:.2f}"),
    ("switches a request, 50", "conns-50", "switches", "{:.2f}"),
    ("KiB a connection, idle", "idle", "kib_per_connection", "{:.1f}"),
)


def table() -> str:
    """All models, and what works in each: every command does but those named here."""
    rows = ["| model | what it is | commands that it refuses, and why |", "|---|---|---|"]
    for model in MODELS.values():
        refused = f"{REFUSED}: {model.no_push}" if model.no_push else ""
        if model.processes:
            refused += "; CONFIG SET port, bind: the listening sockets belong to the master process"
        rows.append(f"| [`{model.name}`](../{model.source}) | {model.summary} | {refused} |")
    return "\n".join(rows) + "\n"


def figures() -> str:
    """What each model took in the last full comparison; empty where it could not take part."""
    results = json.loads(RESULTS.read_text())
    taken = {(reading["scenario"], reading["model"]): reading for reading in results["readings"]}
    rows = [
        "| model | " + " | ".join(title for title, *_ in COLUMNS) + " |",
        "|---|" + "---:|" * len(COLUMNS),
    ]
    for name in results["models"]:
        cells = [f"`{name}`" if name in MODELS else name]
        for _, scenario, metric, form in COLUMNS:
            reading = taken[scenario, name]
            value = reading["medians"].get(metric)
            cells.append("" if reading["failure"] or value is None else form.format(value))
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def renewed(text: str) -> str:
    """The document with its tables as they should be."""
    for name, content in (("models", table()), ("figures", figures())):
        mark = MARK.format(name)
        before, found, rest = text.partition(mark)
        assert found, f"the guide lacks its place for {name}"
        text = before + mark + content + END + rest.partition(END)[2]
    return text


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(renewed(path.read_text()))
