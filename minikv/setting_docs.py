"""The page of settings: `python -m minikv.setting_docs > docs/settings.md`."""

from minikv.setting_rows import SECTIONS, Access, Setting

_INTRODUCTION = """\
# Settings

Every setting can stand in the configuration file (`name value`), on the command line (`--name value`) and in
CONFIG GET. CONFIG SET changes those that are not fixed at start-up. Units of memory: `k`, `m`, `g` are powers
of 1000, `kb`, `mb`, `gb` of 1024.

This page is generated: `python -m minikv.setting_docs > docs/settings.md`.
"""

_NOTES = {
    Access.IMMUTABLE: "Fixed at start-up.",
    Access.PROTECTED: "Fixed at start-up unless enable-protected-configs allows it.",
}


def page() -> str:
    """The whole page, in Markdown."""
    parts = [_INTRODUCTION]
    for title, rows in SECTIONS.items():
        parts += [f"\n## {title}\n\n| setting | takes | default | meaning |\n|---|---|---|---|\n"]
        parts += map(_table_row, rows)
    return "".join(parts)


def _table_row(row: Setting) -> str:
    meaning = [row.doc]
    meaning += [note for access, note in _NOTES.items() if access in row.access]
    if row.aliases:
        meaning.append(f"Also {', '.join(f'`{alias}`' for alias in row.aliases)}.")
    if row.inert:
        meaning.append(f"**Accepted, does nothing: {row.inert}.**")
    default = f"`{row.default}`" if row.default else ""
    return f"| `{row.name}` | {row.kind.takes} | {default} | {' '.join(meaning)} |\n"


if __name__ == "__main__":
    print(page(), end="")
