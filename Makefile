# Everything for users and developers; `make` alone lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := $(wildcard ext/minikv_core/*.pyx ext/minikv_core/*.pxd) setup.py pyproject.toml
ASAN_TREE := build/asan
# Tests wait more than they work: three processes for two cores.
PYTEST := -m pytest -q -n $(shell $(PYTHON) -c "import os; print(max(1, len(os.sched_getaffinity(0)) * 3 // 2))")
INSTALL := MINIKV_COMPILED=1 $(BIN)/pip install -q --disable-pip-version-check --no-build-isolation --editable

.PHONY: help build run test lint asan bench compare packaging docs sdist clean

help:
	@echo "make run     build and serve on 127.0.0.1:6379"
	@echo "make test    build and run all tests"
	@echo "make build   leave $(BIN)/minikv and $(BIN)/python"
	@echo "make lint    ruff, mypy, cython-lint, Cython's performance hints as errors"
	@echo "make asan    the engine's tests under address and undefined-behaviour sanitizers"
	@echo "make bench   compare with every other server that is installed"
	@echo "make compare compare the I/O models with one another"
	@echo "make packaging  build, install and start what would be published"
	@echo "make docs    write docs/settings.md, docs/commands.md and the table of docs/io-models.md anew"
	@echo "make sdist   source distribution and wheel in dist/"
	@echo "make clean   remove all that was built"

run: build
	$(BIN)/minikv

test: $(VENV)/test-extras
	$(BIN)/python $(PYTEST)

build: $(VENV)/built

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check -U 'setuptools>=77' 'cython>=3.2,<4'

# The extensions are compiled in place, what has changed alone; so installations leave them out.
$(VENV)/installed: $(BIN)/python pyproject.toml
	$(INSTALL) .
	touch $@

$(VENV)/built: $(VENV)/installed $(SOURCES)
	$(BIN)/python setup.py -q build_ext --inplace
	touch $@

$(VENV)/test-extras: $(VENV)/built
	$(INSTALL) '.[test,compare]'
	touch $@

lint: $(VENV)/built
	$(INSTALL) '.[lint,test,bench,compare]'
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PATH=$(BIN):$$PATH $(BIN)/cython-lint ext/minikv_core
	PYTHONPATH=. $(BIN)/python tests/cython_hints.py

# A copy of the tree, so that the sanitizers' objects never mix with the ordinary ones; with its times, so that
# Cython does not write its C files anew. The undo log's tests compare whole arenas, which takes long there, and run
# no command that the others do not run.
asan: $(VENV)/test-extras
	mkdir -p $(ASAN_TREE)
	cp -rp minikv ext tests benchmarks setup.py pyproject.toml README.md LICENSE $(ASAN_TREE)/
	rm -f $(ASAN_TREE)/ext/minikv_core/*.so
	cd $(ASAN_TREE) && MINIKV_ASAN=1 ../../$(BIN)/python setup.py -q build_ext --inplace
	cd $(ASAN_TREE) && PYTHONPATH=.:ext PYTHONMALLOC=malloc \
		LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
		ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
		../../$(BIN)/python $(PYTEST) -p no:cacheprovider --ignore-glob='*undo*' \
		tests/core tests/wire tests/commands tests/test_server.py tests/test_store.py tests/test_user_command.py \
		tests/io/test_breaking.py tests/io/test_slow_peers.py tests/io/test_uring.py

bench: $(VENV)/bench-extras
	$(BIN)/python -m benchmarks

compare: $(VENV)/built
	$(INSTALL) '.[compare,bench]'
	$(BIN)/minikv compare --output benchmarks/results/compare

$(VENV)/bench-extras: $(VENV)/built
	$(INSTALL) '.[bench]'
	touch $@

# A source distribution, a wheel out of it, an installation in a new environment: each test goes on from the last.
packaging: $(VENV)/test-extras
	$(BIN)/python -m pytest -q -m packaging

docs: $(VENV)/built
	$(BIN)/python -m minikv.setting_docs > docs/settings.md
	$(BIN)/python -m minikv.command_docs > docs/commands.md
	$(BIN)/python -m minikv.model_docs docs/io-models.md

sdist: $(BIN)/python
	$(BIN)/pip install -q --disable-pip-version-check build
	$(BIN)/python -m build

clean:
	rm -rf build dist *.egg-info $(VENV)
	rm -f ext/minikv_core/*.c ext/minikv_core/*.so
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
