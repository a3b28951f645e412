# Three commands for a newcomer: `make quick`, `make demo` and `make test`. Each makes the environment that it needs.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
BASE_STAMP := $(VENV)/.base
STAMP := $(VENV)/.installed
OLD_DBT := var/dbt-1.11
UV := $(shell command -v uv 2>/dev/null)

# Where Python may not keep what it has compiled, each start of dbt compiles 1,400 modules anew: 2 of its 6 seconds.
unexport PYTHONDONTWRITEBYTECODE

# $(call make_venv,FOLDER,LOCK,EDITABLE PACKAGES): --no-deps, since a lock is complete and nothing outside it can come in.
ifdef UV
define make_venv
	uv venv --quiet --allow-existing --python $(PYTHON) $(1)
	uv pip install --quiet --python $(1)/bin/python --require-hashes --no-deps -r $(2)
	uv pip install --quiet --python $(1)/bin/python --no-deps --no-build-isolation $(3)
endef
else
define make_venv
	$(PYTHON) -m venv $(1)
	$(1)/bin/python -m pip install --quiet --no-compile --disable-pip-version-check --require-hashes --no-deps -r $(2)
	$(1)/bin/python -m pip install --quiet --no-compile --disable-pip-version-check --no-deps --no-build-isolation $(3)
endef
endif

.PHONY: help quick install wheel demo check test test-unit test-end-to-end test-sagemaker test-athena test-long lint \
	lint-workflows slim lint-athena types dbt dbt-1.11 lock clean

help: ## list the targets
	@grep -hE '^[a-z0-9.-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9.-]+):.*## /\1\t/' | expand -t 14

quick: $(BASE_STAMP) ## a first look without PyTorch: simulate a chain, forecast it by last year on this year's calendar, write a report
	SALESCAST_HOME=$${SALESCAST_HOME:-var/demo} $(BIN)/salescast demo --model snaive_calendar
	@echo "\`make demo\` adds the blend and DeepAR to the same chain."

$(BASE_STAMP): requirements-base.lock pyproject.toml
	@echo "making $(VENV) from requirements-base.lock (470 MB on disk)"
	$(call make_venv,$(VENV),requirements-base.lock,--editable .)
	@touch $@

install: $(STAMP) ## make .venv from requirements.lock

# The base is a part of it.
$(STAMP): requirements.lock pyproject.toml packages/local-aws/pyproject.toml
	@echo "making $(VENV) from requirements.lock (about 3.2 GB to download the first time, 6.2 GB on disk)"
	$(call make_venv,$(VENV),requirements.lock,--editable . --editable packages/local-aws)
	@touch $(BASE_STAMP) $@

wheel: install ## build dist/salescast-*.whl with the dbt project in it
	rm -rf dist build
ifdef UV
	uv build --quiet --no-build-isolation --python $(BIN)/python --out-dir dist
else
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .
endif

demo: install ## simulate a chain, forecast it by the blend and DeepAR, show the accuracy and write a report
	SALESCAST_HOME=$${SALESCAST_HOME:-var/demo} $(BIN)/salescast demo

# The local AWS's own tests belong to `make test` where something of theirs has changed; CI and `make test-long` run them always.
OF_LOCAL_AWS := packages/local-aws requirements.lock pyproject.toml
LOCAL_AWS_TESTS = $(shell scripts/is_changed.sh $(OF_LOCAL_AWS) && echo packages/local-aws/tests)
FAST := not (athena or sagemaker or dbt or torch or slow)
PYTEST := $(BIN)/pytest
# Two processes; what shares a server or a home stays in one of them (tests/python/conftest.py says what).
PARALLEL := --numprocesses 2 --dist loadfile --no-loadscope-reorder
FAST_TESTS := $(PYTEST) $(PARALLEL) -m "$(FAST)" \
	$(addprefix --ignore=tests/python/,on_athena on_sagemaker end_to_end)

check: install ## the loop: style, static types, and the tests that need neither dbt, PyTorch nor a local AWS
	$(MAKE) --no-print-directory --jobs 3 --output-sync=target test-unit lint types

test: install ## all tests, the SQL that Athena gets, dbt on an empty home
	$(MAKE) --no-print-directory --jobs 2 --output-sync=target lint lint-athena types dbt
	$(PYTEST) $(PARALLEL) tests/python $(LOCAL_AWS_TESTS)
	@$(if $(LOCAL_AWS_TESTS),,echo "left out: packages/local-aws/tests, as nothing of $(OF_LOCAL_AWS) has changed; make test-long runs them")

test-unit: install ## the tests of make check
	$(FAST_TESTS)

test-end-to-end: install dbt ## the tests that build a warehouse or train
	$(PYTEST) $(PARALLEL) -m "(dbt or torch or slow) and not (athena or sagemaker)"

test-sagemaker: install ## the tests on the local SageMaker
	$(PYTEST) -m sagemaker

test-athena: install ## the tests on the local Athena (Maven fetches Trino once)
	$(PYTEST) -m athena

test-long: install dbt-1.11 ## the older dbt, kills and faults in all their cases, Walmart on Athena (about two hours); keeps the result in benchmarks/results/
	$(BIN)/python scripts/test_long.py

lint: install ## SQL and Python style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	mkdir -p var/lint
	SALESCAST_HOME=var/lint $(BIN)/sqlfluff lint --disable-progress-bar models tests

lint-workflows: ## the workflow files (needs Go)
	go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

slim: install ## dbt build of what the commit BASE and the files here differ in, and what comes after it
	scripts/slim_build.sh $(or $(BASE_COMMIT),origin/main)

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
	$(call make_venv,$(OLD_DBT),requirements-dbt-1.11.lock,--editable .)
	@touch $@

# What is left out downloads a program from elsewhere when it is installed; dbt asks for it only with --use-v2-parser.
COMPILE = uv pip compile pyproject.toml --universal --generate-hashes --python-version 3.11 --no-annotate --no-header \
	--no-emit-index-url --no-emit-package dbt-core-experimental-parser --quiet

# setuptools builds the package itself; the other two locks take the versions of requirements.lock.
lock: ## write the locks again from both pyproject.toml, and the image's requirements
	$(COMPILE) packages/local-aws/pyproject.toml --extra aws --extra deepar --extra dev --output-file requirements.lock
	echo 'setuptools>=77' | $(COMPILE) - --constraint requirements.lock --output-file requirements-base.lock
	cp requirements-base.lock requirements-dbt-1.11.lock
	printf 'setuptools>=77\ndbt-core<1.12\n' | $(COMPILE) - --output-file requirements-dbt-1.11.lock
	$(PYTHON) scripts/lock_image.py

clean: ## remove the environments; homes under var/ stay
	rm -rf $(VENV) $(OLD_DBT)
