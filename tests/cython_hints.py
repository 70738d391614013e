"""Compile every engine module to C and fail on Cython's performance hints and warnings.

A hint means that engine code takes the GIL or makes Python objects where it must not.
Run from the root, which must be on the path too, for setup.py says how the modules are compiled.
"""

import os
import sys
import tempfile

from Cython.Build import cythonize

from setup import CORES, DIRECTIVES, SOURCES


def hints() -> str:
    """What the compiler and its processes say about the modules; empty if nothing."""
    with tempfile.TemporaryFile() as said, tempfile.TemporaryDirectory() as folder:
        ours = os.dup(2)
        os.dup2(said.fileno(), 2)
        try:
            cythonize(
                SOURCES,
                include_path=["ext"],
                build_dir=folder,
                compiler_directives=DIRECTIVES,
                force=True,
                quiet=True,
                nthreads=CORES,
            )
        finally:
            os.dup2(ours, 2)
        said.seek(0)
        return said.read().decode()


def main() -> int:
    """Check all modules; returns the exit status."""
    said = hints()
    print(f"{said}{len(SOURCES)} engine modules, {'hints' if said else 'no hint'}")
    return 1 if said or not SOURCES else 0


if __name__ == "__main__":
    sys.exit(main())
