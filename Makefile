# make demo    everything once, on sample data       make up      Dagster UI, daemon and API together
# make test    the tests                             make check   linters, types, layers
# Uses uv when it is there, plain venv and pip otherwise; versions are pinned in requirements*.lock.

SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
UV := $(shell command -v uv 2>/dev/null)

ifneq ($(UV),)
INSTALL = uv pip install --quiet --python $(BIN)/python
VENV = uv venv --quiet --allow-existing --python $(PYTHON) .venv
else
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check
VENV = $(PYTHON) -m venv .venv
endif

.PHONY: demo env test test-slow test-long test-servers test-kill abuse fuzz up check lock bench-pipeline bench-scale bench-shops bench-lookups bench-servers bench-analytics bench-dashboard bench-recommenders bench-serving bench-content crowd capacity reference screenshots clean

demo: .venv/.installed
	@$(BIN)/marketing-platform demo

up: .venv/.installed
	@test -d .data || $(BIN)/marketing-platform sample write .data/landing
	@$(BIN)/marketing-platform up

# Random secrets for docker-compose.yml into .env; what is there stays.
env:
	@$(PYTHON) deploy/write_env.py

test: .venv/.installed-dev
	@$(BIN)/python -m pytest -n auto --dist loadfile -m "not slow and not long"

# What kills processes, waits for deadlines, runs pipelines from end to end or tries thousands of inputs.
test-slow: .venv/.installed-dev
	@$(BIN)/python -m pytest -n auto --dist loadfile -m "slow and not long"

# Whole installations on real data, killed, filled up, replayed: minutes more.
test-long: .venv/.installed-dev
	@$(BIN)/python -m pytest -n auto --dist loadfile -m long

# Starts every server on loopback (installing what is missing, kept in .servers/) and ends them: once each to
# see that it does, then for the tests. A test file that asks for servers belongs here, wherever it lies.
SERVER_TESTS = marketing_platform_tests/servers $(shell grep -rl WITH_SERVERS --include='test_*.py' marketing_platform_tests)
test-servers: .venv/.installed-dev
	@$(BIN)/python -u -m marketing_platform_tests.servers
	@MARKETING_TEST_SERVERS=1 $(BIN)/python -m pytest -n 2 --dist loadfile $(SERVER_TESTS)

# Ten runs of the command line, each killed with -9 at a random moment; some minutes.
test-kill: .venv/.installed-dev
	@KILLS=$${KILLS:-10} $(BIN)/python -m pytest marketing_platform_tests/acceptance/test_kill.py -k commands

# Slowloris, a body of 1 GB, 10,000 connections, a flood: what `make test-slow` does on a small scale.
abuse: .venv/.installed-dev
	@MARKETING_TEST_ABUSE=1 $(BIN)/python -m pytest marketing_platform_tests/serving/test_abuse.py

# Hundreds of requests made up for every route, some minutes; `make test-slow` makes a few.
fuzz: .venv/.installed-dev
	@FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-300} $(BIN)/python -m pytest marketing_platform_tests/serving/test_fuzz.py

check: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/pyright

bench-pipeline: .venv/.installed-torch
	@$(BIN)/python -m benchmarks.pipeline

# Full runs over 100,000, 1 and 10 million events, 1 % more after each, and how stages grow; hours, and room on disk.
bench-scale: .venv/.installed-dev
	@$(BIN)/python -m benchmarks.scale

# Real shops through their declared sources to a release; `SHOPS=--completejourney FOLDER` adds another one.
bench-shops: .venv/.installed-dev
	@$(BIN)/python -m benchmarks.shops $(SHOPS)

# Answers of the API for 10,000 and for 1,000,000 users; 20 GB on disk.
bench-lookups: .venv/.installed-dev
	@$(BIN)/python -m benchmarks.lookups

# Writing to servers beside their bare clients; starts and ends the servers.
bench-servers: .venv/.installed-dev
	@$(BIN)/python -m benchmarks.servers

# Needs wrk (github.com/wg/wrk).
bench-serving: .venv/.installed-dev
	@$(BIN)/python -m benchmarks.serving

# Figures beside SQL written by hand, and simultaneous clients of one API process.
bench-analytics: .venv/.installed-dev
	@$(BIN)/python -m benchmarks.analytics

# The first page over a million rows, in Chromium.
bench-dashboard: .venv/.installed-dev
	@$(BIN)/python -m benchmarks.dashboard

# 120 users at once, a mixed load; fails when a request does.
crowd: .venv/.installed-dev
	@$(BIN)/python -m benchmarks.crowd

bench-recommenders: .venv/.installed-torch
	@$(BIN)/python -m benchmarks.recommenders

# E-mails and boards per second.
bench-content: .venv/.installed-dev
	@$(BIN)/python -m benchmarks.content

# How many machines a demand needs, from constants measured before (`--measure` measures them anew).
capacity: .venv/.installed-dev
	@$(BIN)/python -m benchmarks.capacity

# The pages of docs/reference/, from what they describe.
reference: .venv/.installed-dev
	@$(BIN)/python -m scripts.reference

screenshots: .venv/.installed-dev
	@$(BIN)/python -m scripts.screenshots

# The lock files hold everything: they are installed without asking what packages depend on.
.venv/.installed: requirements.lock pyproject.toml
	@$(VENV)
	@$(INSTALL) --no-deps -r requirements.lock
	@$(INSTALL) --no-deps -e .
	@touch $@

.venv/.installed-dev: requirements-dev.lock .venv/.installed
	@$(INSTALL) --no-deps -r requirements-dev.lock
	@touch $@

.venv/.installed-torch: requirements-torch.lock .venv/.installed-dev
	@$(INSTALL) --no-deps -r requirements-torch.lock
	@touch $@

# Writes the lock files anew; needs uv. No file may say where packages are downloaded from.
COMPILE = uv pip compile --quiet --universal --python-version 3.11 --no-header
lock:
	$(COMPILE) --overrides requirements.overrides pyproject.toml -o requirements.lock
	$(COMPILE) --overrides requirements.overrides pyproject.toml --extra servers --extra encoders --extra kubernetes --group dev -c requirements.lock -o requirements-dev.lock
	$(COMPILE) --overrides requirements.overrides pyproject.toml --extra servers --extra encoders --extra kubernetes -c requirements.lock -o requirements-servers.lock
	$(COMPILE) --overrides requirements.overrides pyproject.toml --extra spark -c requirements-dev.lock -o requirements-spark.lock
	$(COMPILE) pyproject.toml --extra torch -c requirements.lock -o requirements-torch.lock

clean:
	rm -rf .venv .data
