"""Writes the table of I/O models into docs/io-models.md: `python -m minikv.model_docs FILE`."""

import sys
from pathlib import Path

from minikv.models import MODELS

BEGIN = "<!-- models: written by `make docs` -->\n"
END = "<!-- end -->\n"


def table() -> str:
    """All models, and what works in each: every command does but those named here."""
    rows = ["| model | what it is | commands that it refuses, and why |", "|---|---|---|"]
    for model in MODELS.values():
        refused = f"SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE, MONITOR: {model.no_push}" if model.no_push else ""
        if model.processes:
            refused += "; CONFIG SET port, bind: the listening sockets belong to the master process"
        rows.append(f"| [`{model.name}`](../{model.source}) | {model.summary} | {refused} |")
    return "\n".join(rows) + "\n"


def renewed(text: str) -> str:
    """The document with its table as it should be."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + table() + END + rest.partition(END)[2]


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(renewed(path.read_text()))
