# Each target sets up what it needs: a machine with Python >= 3.11 (with venv) and make is enough.
# Everything goes into .venv and .local here; nothing is installed anywhere else.

PYTHON ?= python3

SHELL := /bin/sh
.DEFAULT_GOAL := help

BIN := .venv/bin
READY := .venv/.ready

# Keeps compiled modules, whatever the environment says: without them each process that a test starts compiles them anew.
export PYTHONDONTWRITEBYTECODE =
export PYTHONPYCACHEPREFIX = $(CURDIR)/.venv/pycache

# The programs in .venv name the directory in which they were made: in a checkout that was moved, it is made anew.
MOVED := $(shell grep -qs '^command = ' .venv/pyvenv.cfg && ! grep -qsF " $(CURDIR)/.venv" .venv/pyvenv.cfg && echo yes)

# uv reads none of pip's configuration: hand it the package index and the certificates that pip is told to use.
UV_ENV = UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$$($(PYTHON) -m pip config get global.index-url 2>/dev/null || printf %s "$$PIP_INDEX_URL")}" \
	SSL_CERT_FILE="$${SSL_CERT_FILE:-$$PIP_CERT}" UV_PYTHON_DOWNLOADS=never
UV = $(UV_ENV) $(BIN)/uv
PYTEST = $(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder
INSTALL = install --quiet --disable-pip-version-check --no-compile

.PHONY: help demo up test test-unit proofs check bench bench-scale bench-polls bench-feed bench-log bench-console chaos simulate ledger connections week malformed matrix screenshots lock clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: $(READY) ## a day in Moment lands in a local Fortnox, shown live; ends by itself
	@$(BIN)/moment-fortnox demo

up: $(READY) ## the same system left running on this machine, with Flower
	@$(BIN)/moment-fortnox up

test: $(READY) ## the tests, side by side (3 min)
	$(PYTEST) -m "not proof"

test-unit: $(READY) ## the unit tests alone
	$(BIN)/python -m pytest tests/unit

proofs: $(READY) ## the long proofs in their short form: kills, random invoices, a week, random worlds (2 min)
	$(PYTEST) -m proof

check: $(READY) ## format, lint, import contracts, types, tests; CI runs this and `make proofs`
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(PYTEST) -m "not proof"

bench: $(READY) ## ours, plain Celery and lock-or-retry side by side (15 min); BENCH=--quick for a short one
	$(BIN)/python -m bench $(BENCH)

bench-scale: $(READY) ## one Redis with 10,000 companies and a million events: memory, and latency at 50, 200 and 500 a second (15 min)
	$(BIN)/python -m bench --only S --repeat 1 --json .local/scale.json $(BENCH)

bench-polls: $(READY) ## the way back: a poll round of 1,000 companies (10 min); ACTIVATION=20000 a first activation instead
	$(BIN)/python -m bench.polls $(if $(ACTIVATION),activation --invoices $(ACTIVATION),round) $(BENCH)

bench-feed: $(READY) ## one listener of Fortnox's feed for 10,000 companies, 200 events a second (12 min)
	$(BIN)/python -m bench.feed_many $(BENCH)

bench-log: $(READY) ## how long `events list` takes over a million events, and how long Redis waits for it (2 min)
	$(BIN)/python -m bench.log $(BENCH)

bench-console: $(READY) ## how long each page of the console takes with a million events of 10,000 companies (2 min)
	$(BIN)/python -m bench.console $(BENCH)

screenshots: $(READY) ## take the pictures of docs/console.md anew, in a real browser (2 min)
	SCREENSHOTS=docs/images/console $(BIN)/python -m pytest -n0 tests/browser/test_screenshots.py

chaos: $(READY) ## workers and Redis killed while events are published, then each is looked for (5 min); SECONDS= SEED= HA=1
	$(BIN)/python -m tests.chaos $(if $(HA),--ha) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) $(CHAOS_ARGS)

simulate: $(READY) ## the ordering engine in random worlds, checked after every step; SEEDS=100000 takes about 20 min
	$(BIN)/python -m tests.simulation --seeds $(or $(SEEDS),10000)

ledger: $(READY) ## random invoices while 30 % of the requests fail, then compared to the öre (5 min); COUNT=2000 SEED=
	$(BIN)/python -m tests.ledger --count $(or $(COUNT),2000) $(if $(SEED),--seed $(SEED))

connections: $(READY) ## tokens that work once under load and under SIGKILL, and 10,000 companies connected (5 min)
	$(BIN)/python -m tests.connections

week: $(READY) ## a week of supplier invoices, payments and troubles, compared with Moment every six hours (9 min); SEED=
	$(BIN)/python -m tests.week $(if $(SEED),--seed $(SEED))

malformed: $(READY) ## malformed events, requests, messages, entries and answers through every door, beside good ones (3 min); SEED= VARIANTS=
	$(BIN)/python -m tests.malformed $(if $(SEED),--seed $(SEED)) $(if $(VARIANTS),--variants $(VARIANTS))

matrix: $(READY) ## a short form of the tests with each Python and Redis found on this machine; SERVER= names another
	$(UV_ENV) $(BIN)/python -m tests.matrix $(if $(SERVER),--server $(SERVER))

lock: $(READY) ## write the lock files anew from pyproject.toml; UPGRADE=1 takes newer releases
	$(call compile,requirements-build.lock,--group build)
	$(call compile,requirements.lock,pyproject.toml)
	$(call compile,requirements-dev.lock,pyproject.toml --all-extras --group build -c requirements.lock -c requirements-build.lock)

clean: ## remove the environment, caches and local data
	rm -rf .venv .local build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Hashes, but no download addresses and no markers of this machine: they hold on every platform and Python.
define compile
$(UV) pip compile $(2) --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
	--no-emit-find-links --annotation-style line $(if $(UPGRADE),--upgrade) --quiet --output-file $(1)
endef

.PHONY: moved
moved:

# Made anew when the locks or the project file change. The Python's own pip brings uv, which installs in a second what
# takes pip half a minute; where uv cannot be had or cannot reach the index, pip installs the same hashes.
$(READY): requirements-build.lock requirements-dev.lock pyproject.toml $(if $(MOVED),moved)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "This needs Python 3.11 or newer; '$(PYTHON)' is: $$($(PYTHON) --version 2>&1)." \
			"Name another: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "Setting up .venv ..."
	@$(if $(MOVED),false,$(BIN)/python -c '') 2>/dev/null || $(PYTHON) -m venv --clear --without-pip .venv || { \
		echo "Python's venv module is missing; on Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m pip --python $(BIN)/python $(INSTALL) --require-hashes --only-binary :all: \
			-r requirements-build.lock 2>/dev/null || { \
		$(BIN)/python -m ensurepip >/dev/null && \
		$(BIN)/python -m pip $(INSTALL) --require-hashes --only-binary :all: -r requirements-build.lock; } || true
	@{ $(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.lock && \
			$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .; } || { \
		echo "... with pip, as uv did not do it" >&2; \
		$(BIN)/python -m ensurepip >/dev/null && \
		$(BIN)/python -m pip $(INSTALL) --require-hashes -r requirements-dev.lock && \
		$(BIN)/python -m pip $(INSTALL) --no-deps --no-build-isolation --editable .; }
	@touch $@
