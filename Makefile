# The commands of the project. Everything is installed into $(VENV), once, with the versions of constraints.txt.
# Another Python: make PYTHON=/path/to/python3.12 demo
# With compiled modules, in .venv-compiled (needs a C compiler): make COMPILED=1 bench

PYTHON ?= python3
ifeq ($(COMPILED),1)
VENV ?= .venv-compiled
INSTALLED := '.[dev]'
export STEPWELL_COMPILE := 1
else
VENV ?= .venv
INSTALLED := -e .
endif
BIN := $(VENV)/bin
WORKERS ?= 2
PIP_INSTALL = PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install -qq -c constraints.txt
ROOMS := schemas interpreter store engine activities ingress api cli stepwell
SOURCES := $(if $(filter 1,$(COMPILED)),hatch_build.py $(shell find $(ROOMS) workflows -type f ! -path '*/__pycache__/*'))
LINTED := $(ROOMS) tests hatch_build.py $(wildcard bench examples)

.PHONY: help demo test check bench format lint types imports tidy coverage wheel compiled compiled-tests clean
.DEFAULT_GOAL := help

help:
	@echo "make demo      install, then run the device-onboarding workflow and show what happens"
	@echo "make test      install, then run all tests"
	@echo "make check     format, lint, types, import rules, tidy, tests: what CI runs"
	@echo "make bench     measure this machine, in some minutes (FULL=1: a million waits, hours)"
	@echo "make format    rewrite the sources in the project's format"
	@echo "make coverage  the branch coverage of the pure core, by all tests but laborious ones"
	@echo "make wheel     build the wheel and test it installed, without the sources"
	@echo "make compiled  build the wheel with its hot modules compiled, and run their tests on it"
	@echo "make clean     remove the environment and all caches"

demo: $(VENV)/.installed
	@$(BIN)/stepwell demo

test: $(VENV)/.installed-dev
	@$(BIN)/python -m pytest -q -n $(WORKERS)

check: lint types imports test

bench: $(VENV)/.installed-dev
	@for part in interpreter scenarios exploration seeded_mistakes cold_start events workflows activities http_door http_events http_workflows fairness; do \
		$(BIN)/python bench/$$part.py || exit 1; done
	@for part in latency maps growth waits; do \
		$(BIN)/python bench/$$part.py $(if $(FULL),--full,--quick) || exit 1; done

format: $(VENV)/.installed-dev
	@$(BIN)/ruff format $(LINTED)
	@$(BIN)/ruff check --fix $(LINTED)

lint: $(VENV)/.installed-dev
	@$(BIN)/ruff format --check $(LINTED)
	@$(BIN)/ruff check $(LINTED)

types: $(VENV)/.installed-dev
	@$(BIN)/mypy $(ROOMS) tests hatch_build.py

imports: $(VENV)/.installed-dev
	@$(BIN)/lint-imports

tidy: $(VENV)/.installed-dev
	@$(BIN)/python -m pytest -q tests/test_tidy.py

coverage: $(VENV)/.installed-dev
	@$(BIN)/python -m pytest -q -n $(WORKERS) tests/interpreter -m "not laborious" --cov=stepwell_interpreter --cov-branch --cov-report=
	@echo "the machine itself:"
	@$(BIN)/coverage report --include='*/stepwell_interpreter/*.py' --omit='*/stepwell_interpreter/*/*' \
		--skip-covered --show-missing --fail-under=100
	@echo "the parts around it:"
	@$(BIN)/coverage report --include='*/stepwell_interpreter/*/*' --skip-covered --fail-under=90

wheel: $(VENV)/.installed-dev
	@bash .ci/wheel $(BIN)/python

compiled:
	@$(MAKE) --no-print-directory COMPILED=1 VENV=$(VENV)-compiled compiled-tests

compiled-tests: $(VENV)/.installed-dev
	@$(BIN)/python -m pytest -q -n $(WORKERS) tests/test_compiled.py tests/test_written_out.py tests/engine tests/store \
		tests/interpreter/test_decide_*.py

clean:
	@rm -rf $(VENV) $(VENV)-compiled build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage

$(VENV)/.installed: pyproject.toml constraints.txt $(SOURCES)
	@command -v $(PYTHON) >/dev/null || { \
		echo "Stepwell needs Python 3.11 or newer; there is no '$(PYTHON)' on the PATH." >&2; \
		echo "Name one: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Stepwell needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -V 2>&1)." >&2; \
		echo "Name another: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 2; }
	@echo "Installing Stepwell into $(VENV) ..."
	@$(PYTHON) -m venv $(VENV) || { \
		echo "'$(PYTHON) -m venv' failed; on Debian and Ubuntu install the package python3-venv." >&2; exit 2; }
	@$(PIP_INSTALL) $(INSTALLED)
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
ifneq ($(COMPILED),1)
	@echo "Installing the development tools into $(VENV) ..."
	@$(PIP_INSTALL) -e '.[dev]'
endif
	@touch $@
