"""Compile every engine module to C and fail on Cython's performance hints and warnings.

A hint means that engine code takes the GIL or makes Python objects where it must not.
"""

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parent.parent
DIRECTIVES = "boundscheck=False,wraparound=False,cdivision=True,show_performance_hints=True"


def hints_of(source: Path, folder: str) -> str:
    """What the compiler says about one module; empty if nothing."""
    target = Path(folder) / f"{source.stem}.c"
    command = [
        sys.executable,
        "-m",
        "cython",
        "-3",
        "-I",
        "ext",
        "-X",
        DIRECTIVES,
        str(source),
        "-o",
        str(target),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip()


def main() -> int:
    """Check all modules; returns the exit status."""
    sources = sorted((ROOT / "ext/minikv_core").glob("*.pyx"))
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        said = [text for text in pool.map(lambda source: hints_of(source, folder), sources) if text]
    print(*said, f"{len(said)} of {len(sources)} engine modules with hints", sep="\n")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
