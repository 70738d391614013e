"""Replies of the HELP subcommands."""

from minikv_core.pycommand import Simple


def help_lines(text: str) -> list[Simple]:
    """A help text as the reply: a simple string for each line."""
    return [Simple(line) for line in text.strip().splitlines()]
