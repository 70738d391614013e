"""docs/commands.md: as fresh as the command table."""

import subprocess
import sys
from pathlib import Path


def test_page_of_commands_is_fresh():
    # in a process of its own: other tests add commands to the table
    done = subprocess.run(
        [sys.executable, "-m", "minikv.command_docs"], capture_output=True, text=True, check=True, timeout=60
    )
    page = Path(__file__).parent.parent / "docs/commands.md"
    assert page.read_text() == done.stdout, "python -m minikv.command_docs > docs/commands.md"
    assert "| `GETSET key value` | 1.0.0 | O(1) |" in done.stdout
