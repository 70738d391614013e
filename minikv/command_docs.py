"""The page of commands: `python -m minikv.command_docs > docs/commands.md`."""

import re

from minikv_core.registry import CommandSpec, specs

from minikv import host  # noqa: F401  (its import fills the command table)

_INTRODUCTION = """\
# Commands

Names, arguments and error texts are Redis's, and so are the versions: *since* is the Redis version that
brought a command.

This page is generated: `python -m minikv.command_docs > docs/commands.md`.
"""


def page() -> str:
    """The whole page, in Markdown."""
    parts = [_INTRODUCTION]
    rows = [spec for spec in specs if spec.summary]  # a mere container has none
    for group in sorted({spec.group for spec in rows}):
        parts.append(f"\n## {group}\n\n| command | since | cost | what it does |\n|---|---|---|---|\n")
        parts += sorted(_table_row(spec) for spec in rows if spec.group == group)
    return "".join(parts)


def _table_row(spec: CommandSpec) -> str:
    name = spec.name.replace("|", " ").upper()
    arguments = re.sub(r":(integer|double|string)\b", "", spec.args)  # without the arguments' types
    call = f"{name} {arguments}".strip().replace("|", "\\|")
    summary = spec.summary
    if spec.deprecated_since:
        summary += f" Deprecated since {spec.deprecated_since}: {spec.replaced_by}."
    return f"| `{call}` | {spec.since} | {spec.cost} | {summary} |\n"


if __name__ == "__main__":
    print(page(), end="")
