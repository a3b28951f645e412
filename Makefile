# Three commands for a newcomer: `make quick`, `make demo` and `make test`. Each makes the environment that it needs.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
BASE := $(VENV)/.base
STAMP := $(VENV)/.installed
OLD_DBT := var/dbt-1.11
UV := $(shell command -v uv 2>/dev/null)

# $(call make_venv,FOLDER,LOCK): --no-deps, since a lock is complete and nothing outside it can come in.
ifdef UV
define make_venv
	uv venv --quiet --allow-existing --python $(PYTHON) $(1)
	uv pip install --quiet --python $(1)/bin/python --require-hashes --no-deps -r $(2)
	uv pip install --quiet --python $(1)/bin/python --no-deps --no-build-isolation --editable .
endef
else
define make_venv
	$(PYTHON) -m venv $(1)
	$(1)/bin/python -m pip install --quiet --no-compile --disable-pip-version-check --require-hashes --no-deps -r $(2)
	$(1)/bin/python -m pip install --quiet --no-compile --disable-pip-version-check --no-deps --no-build-isolation --editable .
endef
endif

.PHONY: help quick install demo check test test-long lint lint-athena types dbt dbt-1.11 pytest lock clean

help: ## list the targets
	@grep -hE '^[a-z0-9.-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9.-]+):.*## /\1\t/' | expand -t 14

quick: $(BASE) ## a first look without PyTorch: simulate a chain, forecast it by the seasonal naive, write a report
	SALESCAST_HOME=$${SALESCAST_HOME:-var/demo} $(BIN)/salescast demo --model snaive_52
	@echo "\`make demo\` adds DeepAR to the same chain."

$(BASE): requirements-base.lock pyproject.toml
	@echo "making $(VENV) from requirements-base.lock (450 MB on disk)"
	$(call make_venv,$(VENV),requirements-base.lock)
	@touch $@

install: $(STAMP) ## make .venv from requirements.lock

# The base is a part of it.
$(STAMP): requirements.lock pyproject.toml
	@echo "making $(VENV) from requirements.lock (about 3.2 GB to download the first time, 6.2 GB on disk)"
	$(call make_venv,$(VENV),requirements.lock)
	@touch $(BASE) $@

demo: install ## simulate a chain, forecast it, show the accuracy and write a report
	SALESCAST_HOME=$${SALESCAST_HOME:-var/demo} $(BIN)/salescast demo

check: install lint types ## what takes a minute: style and static types

test: install lint lint-athena types dbt dbt-1.11 pytest ## everything that CI runs

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

# Beside requirements.lock, which has the newest dbt, the oldest that pyproject.toml allows.
dbt-1.11: $(OLD_DBT)/.installed ## the same on dbt 1.11: an empty home, and one with a chain and its forecasts
	rm -rf var/test-dbt-1.11
	mkdir -p var/test-dbt-1.11/empty
	$(OLD_DBT)/bin/dbt --version | grep -F 'installed: 1.11.'
	SALESCAST_HOME=var/test-dbt-1.11/empty $(OLD_DBT)/bin/dbt build --target-path var/test-dbt-1.11/target --log-path var/test-dbt-1.11/logs --profiles-dir . --quiet
	SALESCAST_HOME=var/test-dbt-1.11/landed $(OLD_DBT)/bin/salescast demo --model snaive_52
	SALESCAST_HOME=var/test-dbt-1.11/landed $(OLD_DBT)/bin/dbt build --target-path var/test-dbt-1.11/target --log-path var/test-dbt-1.11/logs --profiles-dir . --quiet

$(OLD_DBT)/.installed: requirements-dbt-1.11.lock pyproject.toml
	$(call make_venv,$(OLD_DBT),requirements-dbt-1.11.lock)
	@touch $@

pytest: install ## Python tests and the end-to-end run
	$(BIN)/pytest

# What is left out downloads a program from elsewhere when it is installed; dbt asks for it only with --use-v2-parser.
COMPILE = uv pip compile pyproject.toml --universal --generate-hashes --python-version 3.11 --no-annotate --no-header \
	--no-emit-index-url --no-emit-package dbt-core-experimental-parser --quiet

# setuptools builds the package itself; the other two locks take the versions of requirements.lock.
lock: ## write the locks again from pyproject.toml, and the image's requirements
	$(COMPILE) --extra aws --extra deepar --extra local-aws --extra dev --output-file requirements.lock
	echo 'setuptools>=77' | $(COMPILE) - --constraint requirements.lock --output-file requirements-base.lock
	cp requirements-base.lock requirements-dbt-1.11.lock
	printf 'setuptools>=77\ndbt-core<1.12\n' | $(COMPILE) - --output-file requirements-dbt-1.11.lock
	$(PYTHON) scripts/lock_image.py

clean: ## remove the environments; homes under var/ stay
	rm -rf $(VENV) $(OLD_DBT)
