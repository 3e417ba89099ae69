# Each target does its own set-up; all that is needed is Python 3.11 or later, make and a network.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
PYTHON ?= $(shell for python in python3.11 python3 python3.12 python3.13 python3.14; do \
	if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$python; break; fi; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
EDITABLE := --no-build-isolation --no-deps -e . -e src/oidcclient_dpop -e src/oidcclient_devkit
PROJECTS := pyproject.toml src/oidcclient_dpop/pyproject.toml src/oidcclient_devkit/pyproject.toml

COMPILE := CUSTOM_COMPILE_COMMAND='make lock' ../$(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host $(UPGRADE)

# What is installed is remembered by two stamps: with BASE the three distributions run, with DEV all of this file does.
BASE := .venv/.base-installed
DEV := .venv/.dev-installed
PEERS := .venv-peers/peers/.installed .venv-peers/peers-atproto/.installed

.PHONY: help demo test checks parts lint imports types format bench soak docs lock clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | while IFS="$$(printf '\t')" read -r name text; do printf 'make %-8s %s\n' "$$name" "$$text"; done

demo: $(BASE) ## sign in with the system browser on a provider of its own
	@$(BIN)/python examples/desktop_app

test: $(DEV) ## run all that CI runs
	@$(BIN)/python tools/parts.py
	@$(MAKE) -j2 --keep-going --output-sync=target checks
	@$(BIN)/python tools/run_tests.py

checks: lint imports types docs

parts: $(DEV)
	@$(BIN)/python tools/parts.py

lint: $(DEV) ## check format and style
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

imports: $(DEV) ## check that imports go downwards only
	$(BIN)/lint-imports --no-logo

types: $(DEV) ## check types
	$(BIN)/mypy

format: $(DEV) ## put the sources into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only .

bench: $(DEV) $(PEERS) ## measure against the bars
	@$(BIN)/python benchmarks/run.py

soak: $(DEV) ## run for minutes what `make test` runs for seconds
	OIDCCLIENT_FUZZ_EXAMPLES=$${OIDCCLIENT_FUZZ_EXAMPLES:-20000} $(BIN)/pytest -n auto -m hypothesis
	OIDCCLIENT_ROUNDS=$${OIDCCLIENT_ROUNDS:-2000} OIDCCLIENT_KILLS=$${OIDCCLIENT_KILLS:-1000} $(BIN)/pytest -n 2 tests/processes
	OIDCCLIENT_ROUNDS=$${OIDCCLIENT_ROUNDS:-10000} OIDCCLIENT_FUZZ_SECONDS=$${OIDCCLIENT_FUZZ_SECONDS:-300} $(BIN)/pytest -n 2 \
		tests/dpop_server/test_server_workers.py tests/dpop_server/test_server_fuzz_guided.py

docs: $(DEV) ## build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

lock: $(DEV) ## renew the pinned requirements (UPGRADE=--upgrade takes newer releases)
	cd requirements && $(COMPILE) --output-file dev.txt dev.in
	cd requirements && $(COMPILE) --constraint dev.txt --output-file base.txt base.in
	cd requirements && $(COMPILE) --constraint dev.txt --output-file peers.txt peers.in
	cd requirements && $(COMPILE) --constraint dev.txt --output-file peers-atproto.txt peers-atproto.in

clean: ## remove all that these targets made
	rm -rf .venv .venv-peers site build dist htmlcov .coverage .coverage.* .hypothesis .mypy_cache .ruff_cache .import_linter_cache .pytest_cache
	rm -rf tests/interop/node_modules

$(DEV): requirements/dev.txt $(PROJECTS) | .venv/bin/python
	@echo 'installing the pinned development requirements into .venv'
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@$(PIP) install $(EDITABLE)
	@touch $(DEV) $(BASE)

$(BASE): requirements/base.txt $(PROJECTS) | .venv/bin/python
	@echo 'installing the pinned requirements into .venv'
	@$(PIP) install --require-hashes -r requirements/base.txt
	@$(PIP) install $(EDITABLE)
	@touch $(BASE)

.venv-peers/%/.installed: requirements/%.txt | $(DEV)
	@echo 'installing the pinned $* into .venv-peers/$*'
	@$(BIN)/python -m venv --clear --without-pip .venv-peers/$*
	@$(PIP) --python .venv-peers/$*/bin/python install --require-hashes -r $<
	@touch $@

.venv/bin/python:
	@if [ -z '$(PYTHON)' ]; then echo 'Python 3.11 or later is needed, and none was found (PYTHON=/path/to/python names one)' >&2; exit 1; fi
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo 'the venv module did not work; on Debian it comes with: apt-get install python3-venv' >&2; exit 1; }
