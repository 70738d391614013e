"""Compile every engine module to C and fail on Cython's performance hints and warnings.

A hint means that engine code takes the GIL or makes Python objects where it must not.
"""

import os
import sys
import tempfile
from pathlib import Path

from Cython.Build import cythonize

ROOT = Path(__file__).parent.parent
DIRECTIVES = {
    "language_level": "3",
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "show_performance_hints": True,
}


def hints_of(sources: list[str]) -> str:
    """What the compiler and its processes say about modules; empty if nothing."""
    with tempfile.TemporaryFile() as said, tempfile.TemporaryDirectory() as folder:
        ours = os.dup(2)
        os.dup2(said.fileno(), 2)
        try:
            cythonize(
                sources,
                include_path=["ext"],
                build_dir=folder,
                compiler_directives=DIRECTIVES,
                force=True,
                quiet=True,
                nthreads=os.cpu_count() or 1,
            )
        finally:
            os.dup2(ours, 2)
        said.seek(0)
        return said.read().decode()


def main() -> int:
    """Check all modules; returns the exit status."""
    os.chdir(ROOT)
    sources = sorted(str(path) for path in Path("ext/minikv_core").glob("*.pyx"))
    said = hints_of(sources)
    print(f"{said}{len(sources)} engine modules, {'hints' if said else 'no hint'}")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
