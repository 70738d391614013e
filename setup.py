"""Build the engine: one extension module for each `ext/minikv_core/*.pyx`.

MINIKV_ASAN=1       build with the address and undefined-behaviour sanitizers
MINIKV_COMPILED=1   leave the extensions alone: they lie compiled in the tree (editable installs)
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

SOURCES = sorted(str(path) for path in Path("ext/minikv_core").glob("*.pyx"))
if os.environ.get("MINIKV_COMPILED"):
    SOURCES = []
FLAGS = [
    "-O3",
    "-g0",  # Python's own flags have -g, which makes the modules ten times as large
    "-fno-strict-aliasing",
    "-Wno-unused-function",
    "-Wno-unreachable-code",
]
LINK: list[str] = []
CORES = os.cpu_count() or 1
if os.environ.get("MINIKV_ASAN"):
    FLAGS = [
        "-O1",
        "-g1",  # line numbers for the reports
        "-fno-omit-frame-pointer",
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=undefined",
    ]
    LINK = ["-fsanitize=address,undefined"]
DIRECTIVES = {
    "language_level": "3",
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
    "show_performance_hints": True,
}

if __name__ == "__main__":  # tests/cython_hints.py reads what stands above
    setup(
        ext_modules=cythonize(
            [
                Extension(
                    f"minikv_core.{Path(source).stem}",
                    [source],
                    extra_compile_args=FLAGS,
                    extra_link_args=LINK,
                )
                for source in SOURCES
            ],
            include_path=["ext"],
            nthreads=CORES,
            compiler_directives=DIRECTIVES,
        ),
        options={"build_ext": {"parallel": CORES}},
    )
