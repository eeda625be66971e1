# Everything runs from a bare clone: the first target that needs the environment makes it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help demo check test chaos coverage published bench clean

help:
	@echo "make demo      the main job, in under a minute"
	@echo "make test      every test"
	@echo "make chaos     half an hour of harm (ORDINAUT_CHAOS_SECONDS, ORDINAUT_CHAOS_SEED)"
	@echo "make check     format, lint, types, floors"
	@echo "make coverage  every test, and how much of the package they reach"
	@echo "make bench     our figures beside the peers', in some 40 minutes (BENCH=--quick to see that it works)"

$(VENV)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 …"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/demo: $(VENV)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[demo]'
	@touch $@

$(VENV)/dev: $(VENV)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/demo

demo: $(VENV)/demo
	$(BIN)/python -m ordinaut_mcp demo

check: $(VENV)/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

test: $(VENV)/dev
	$(BIN)/python -m pytest -n 2 --dist loadfile

chaos: $(VENV)/dev
	ORDINAUT_CHAOS_SECONDS=$${ORDINAUT_CHAOS_SECONDS:-1800} $(BIN)/python -m pytest -s tests/chaos/test_nemesis.py

coverage: $(VENV)/dev
	$(BIN)/python -m coverage erase
	$(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-report=term

published: $(VENV)/dev
	$(BIN)/python -m ordinaut_mcp.tools.publishing > published.tmp && mv published.tmp ordinaut_mcp/tools/published.json

$(VENV)/bench: $(VENV)/dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,bench]'
	@touch $@

# BENCH="--quick", or names of rows and --rounds N: see bench/run.py.
bench: $(VENV)/bench
	$(BIN)/python bench/run.py $(BENCH)

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache htmlcov .coverage .coverage.*
