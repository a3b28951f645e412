# Two commands for a newcomer: `make demo` and `make test`. Both make the environment first.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
UV := $(shell command -v uv 2>/dev/null)

.PHONY: help install wheel demo test test-long lint lint-athena types dbt pytest lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

install: $(STAMP) ## make .venv from requirements.lock

# --no-deps: the lock is complete, so nothing outside it can come in.
$(STAMP): requirements.lock pyproject.toml packages/local-aws/pyproject.toml
	@echo "making $(VENV) from requirements.lock (about 3.2 GB to download the first time, 6.2 GB on disk)"
ifdef UV
	uv venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	uv pip install --quiet --python $(BIN)/python --require-hashes --no-deps -r requirements.lock
	uv pip install --quiet --python $(BIN)/python --no-deps --editable . --editable packages/local-aws
else
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable . --editable packages/local-aws
endif
	@touch $@

wheel: install ## build dist/salescast-*.whl with the dbt project in it
	rm -rf dist build
ifdef UV
	uv build --quiet --no-build-isolation --python $(BIN)/python --out-dir dist
else
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .
endif

demo: install ## simulate a chain, forecast it, show the accuracy and write a report
	SALESCAST_HOME=$${SALESCAST_HOME:-var/demo} $(BIN)/salescast demo

test: install lint lint-athena types dbt pytest ## everything that CI runs

test-long: install ## kills and faults in all their cases, Walmart on Athena (about two hours); keeps the result in benchmarks/results/
	$(BIN)/python scripts/test_long.py

lint: install ## SQL and Python style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/sqlfluff lint --disable-progress-bar models tests

lint-athena: install ## the statements that Athena gets: syntax, functions, types, length
	$(BIN)/python scripts/lint_athena.py

types: install ## static types
	$(BIN)/mypy

dbt: install ## dbt build on an empty home, twice, with all data and unit tests
	rm -rf var/test-dbt
	mkdir -p var/test-dbt
	SALESCAST_HOME=var/test-dbt $(BIN)/dbt build --target-path var/test-dbt/target --log-path var/test-dbt/logs --profiles-dir . --quiet
	SALESCAST_HOME=var/test-dbt $(BIN)/dbt build --target-path var/test-dbt/target --log-path var/test-dbt/logs --profiles-dir . --quiet

pytest: install ## Python tests and the end-to-end run
	$(BIN)/pytest

lock: ## write requirements.lock again from both pyproject.toml, and the image's requirements
	uv pip compile pyproject.toml packages/local-aws/pyproject.toml --extra deepar --extra dev --universal --generate-hashes --python-version 3.11 \
		--no-annotate --no-header --no-emit-index-url --quiet --output-file requirements.lock
	$(PYTHON) scripts/lock_image.py

clean: ## remove the environment; homes under var/ stay
	rm -rf $(VENV)
