# Everything runs from .venv, which the first target that needs it sets up from requirements.lock.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint types architecture check format bench soak wheel lock audit clean

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c '$(NEW_ENOUGH)' 2>/dev/null && echo $$p && break; done)

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## everything embedded: commands in, events on the screen
	@$(BIN)/bookstream demo

test: $(READY) ## all tests; those that need what this machine has not are named at the end
	@$(BIN)/pytest

lint: $(READY) ## style and format
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

types: $(READY) ## mypy --strict
	@$(BIN)/mypy

architecture: $(READY) ## who may import whom
	@$(BIN)/lint-imports --no-cache

check: lint types architecture test ## all of these four

format: $(READY) ## formats the code and mends what ruff can
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: $(READY) ## speed beside a naive peer on the same servers; REPORT=dir writes a page, ARGS="--help" lists options
	@$(BIN)/python -m tests.benchmarks $(if $(REPORT),--report $(REPORT)) $(ARGS)

soak: $(READY) ## faults on a cluster of its own, for long: SEED= MINUTES= COMMANDS= FAULTS=
	@$(BIN)/python -m tests.faults --seed $(or $(SEED),1) --minutes $(or $(MINUTES),10) \
		$(if $(COMMANDS),--commands $(COMMANDS)) $(if $(FAULTS),--faults $(FAULTS)) $(ARGS)

wheel: $(READY) ## dist/, for deploy/Dockerfile; built with what requirements.lock pins
	@rm -rf dist
	@$(BIN)/python -m hatchling build -t wheel

lock: $(READY) ## brings requirements.lock to the newest versions that pyproject.toml allows
	@$(BIN)/uv pip compile pyproject.toml --quiet --upgrade --universal --generate-hashes --no-header \
		--extra demo --group dev --output-file requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --quiet --universal --generate-hashes --no-header --no-annotate \
		--constraint requirements.lock --output-file deploy/requirements.lock

audit: $(READY) ## known vulnerabilities of what the image holds, where the database of advisories is reachable
	@$(BIN)/uvx pip-audit --requirement deploy/requirements.lock --no-deps --disable-pip

clean: ## removes .venv and every cache
	rm -rf $(VENV) .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.lock pyproject.toml
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 or newer is needed, with its venv module" >&2; exit 1; }
	@echo "setting up $(VENV) ..."
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
