# Two commands do everything on a machine with Python 3.11 or newer:
#   make search   installs into .venv and runs the first search
#   make test     installs into .venv and runs the whole check

PYTHON ?= python3
BIN := .venv/bin

.PHONY: search test clean

search: .venv/installed
	$(BIN)/python -m nas.search --space regnet $(ARGS)

test: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n auto

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/pip install -c constraints.txt -e .
	touch $@

.venv/installed-dev: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/pip install -c constraints.txt -e ".[dev]"
	touch $@ .venv/installed

clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
