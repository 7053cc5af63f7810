.DEFAULT_GOAL := help
.PHONY: help demo test bench reproduce claims soak fuzz tables check-tables docs docs-links dist lint clean

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
INSTALL = $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt
SPHINX = $(BIN)/python -m sphinx --fresh-env --write-all --fail-on-warning --keep-going --quiet
REFERENCE := $(patsubst %/runs.csv,%,$(wildcard results/reference/*/runs.csv))

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(INSTALL) --editable '.[dev]'
	@touch $@

demo: $(READY) ## train the quickstart (about 90 s on 2 cores) and print its table
	$(BIN)/regbench sweep configs/quickstart.yaml

test: $(READY) ## run the tests
	$(BIN)/python -m pytest

lint: $(READY) ## ruff, mypy, and the order of the floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY) ## measure speed and memory; the last line is JSON
	$(BIN)/python -m benchmarks.bench

reproduce: $(READY) ## retrain what results/reference/ holds and report what differs
	$(BIN)/python -m benchmarks.reproduce $(REFERENCE)

claims: $(READY) ## test every statement of the note (hours; what is finished is kept)
	$(BIN)/regbench claims run --out results/reference/claims

soak: $(READY) ## strike sweeps with 100 faults and print what was lost
	$(BIN)/python -m benchmarks.soak

fuzz: $(READY) ## feed the parsers what coverage leads to, a minute each
	$(INSTALL) atheris
	$(BIN)/python -m benchmarks.fuzz

tables: $(READY) ## rebuild every committed table from its CSV, without training
	$(BIN)/python -m benchmarks.tables write

check-tables: $(READY) ## fail where a committed table differs from its CSV
	$(BIN)/python -m benchmarks.tables check

docs: $(READY) ## build the documentation in English and in Korean, in docs/_build
	$(INSTALL) --editable '.[dev,docs]'
	$(SPHINX) -b html -D language=en docs docs/_build/en
	$(SPHINX) -b html -D language=ko docs docs/_build/ko
	@echo 'docs/_build/en/index.html, docs/_build/ko/index.html'

docs-links: $(READY) ## follow the links of the documentation that leave it (needs the network)
	$(INSTALL) --editable '.[dev,docs]'
	$(SPHINX) -b linkcheck -D language=en -D nb_execution_mode=off docs docs/_build/links/en
	$(SPHINX) -b linkcheck -D language=ko -D nb_execution_mode=off docs docs/_build/links/ko

dist: $(READY) ## build the package to release, and check it
	$(INSTALL) --editable '.[dev,release]'
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*

clean: ## remove the virtual environment and caches
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis
