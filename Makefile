# make run    the hub with its demo community on http://localhost:8000 (make run PORT=8001)
# make test   everything that can be proved about it
# CONTRIBUTING.md names the other targets.

PORT ?= 8000
PYTHON ?= python3 python3.13 python3.12 python3.11

VENV = .venv
BIN = $(VENV)/bin
STATIC = hubchat/static
UV = uv==0.13.9
# npm and node come from the venv: no dependence on what the machine has.
NPM = cd web && PATH="$(CURDIR)/$(BIN):$$PATH" npm

# Networks with a certificate authority of their own: trust what the machine trusts.
export UV_SYSTEM_CERTS = 1
export NODE_USE_SYSTEM_CA = 1
export npm_config_update_notifier = false

# The first of PYTHON that is new enough.
python = $(firstword $(foreach name,$(PYTHON),$(shell $(name) -c 'import sys; sys.version_info >= (3, 11) and print("$(name)")' 2>/dev/null)))
say = @printf '\033[1m==> %s\033[0m\n' '$(1)'

.PHONY: help setup run web wheel demo-reset check format test conformance faults load docs lock chromium

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

# ---- set up: each step leaves a stamp, and is done again when what it hangs on has changed ----

$(VENV)/.stamp-venv:
	$(if $(python),,$(error hubchat needs Python 3.11 or newer; found: $(or $(shell command -v $(firstword $(PYTHON)) >/dev/null && $(firstword $(PYTHON)) --version 2>&1),none). Install it (sudo apt-get install python3.11 python3.11-venv) or name it (make $(MAKECMDGOALS) PYTHON=/path/to/python3.11)))
	$(if $(shell $(python) -c 'import ensurepip, venv; print("yes")' 2>/dev/null),,$(error this Python cannot make a virtual environment. Run: $(if $(filter 0,$(shell id -u)),,sudo )apt-get install $(shell $(python) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')))
	$(call say,making $(VENV) with $(shell $(python) --version))
	@$(python) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check '$(UV)' || echo 'uv cannot be had here: going on with pip, which takes a minute or two'
	@touch $@

# $(call install,LOCK): by uv, by pip where uv is missing or fails, else one line that says what to do.
# Compiled here, a few seconds once, so that every start is a second faster.
define install
	@{ test -x $(BIN)/uv && $(BIN)/uv pip install --compile-bytecode --python $(BIN)/python --require-hashes -r $(1); } || \
	$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r $(1) || \
	{ command -v cc >/dev/null || echo 'There is no C compiler, which a package without a ready build needs. Run: sudo apt-get install build-essential python3-dev' >&2; exit 1; }
endef

$(VENV)/.stamp-run: requirements.lock pyproject.toml hatch_build.py | $(VENV)/.stamp-venv
	$(call say,installing $(shell grep -c == requirements.lock) packages (half a minute at most with a usual line))
	$(call install,requirements.lock)
	@HUBCHAT_SKIP_FRONTEND=1 $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.stamp-dev: requirements-dev.lock $(VENV)/.stamp-run
	$(call say,installing what tests and checks need)
	$(call install,requirements-dev.lock)
	@touch $@

web/node_modules/.stamp: web/package.json web/package-lock.json | $(VENV)/.stamp-run
	$(call say,fetching the parts of the web client)
	@$(NPM) ci --loglevel=error
	@touch $@

setup: $(VENV)/.stamp-dev web/node_modules/.stamp

web: web/node_modules/.stamp
	@if [ ! -e $(STATIC)/index.html ] || [ -n "$$(find web -mindepth 1 \( -name node_modules -o -name .svelte-kit -o -name paraglide -o -name test-results \) -prune -o -newer $(STATIC)/index.html -print)" ]; then \
	    printf '\033[1m==> building the web client (half a minute at most)\033[0m\n'; \
	    ($(NPM) run --silent build) >$(VENV)/build.log 2>&1 || { cat $(VENV)/build.log; exit 1; }; \
	    touch $(STATIC)/index.html; \
	fi

wheel: $(VENV)/.stamp-run web
	@rm -rf dist && HUBCHAT_SKIP_FRONTEND=1 $(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .
	@echo dist/*.whl

# ---- run ----

run: $(VENV)/.stamp-run web
	@exec $(BIN)/hubchat serve --demo --port $(PORT)

demo-reset: $(VENV)/.stamp-run
	@$(BIN)/hubchat demo-reset

# ---- prove ----

check: setup
	$(call say,format and lint)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	$(call say,types)
	@$(BIN)/mypy
	$(call say,import walls)
	@$(BIN)/lint-imports --no-logo
	$(call say,the web client)
	@$(NPM) run --silent lint
	@$(NPM) run --silent check

format: setup
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	@$(NPM) run --silent format

test: setup chromium web
	$(call say,the server, on SQLite and on PostgreSQL)
	@$(BIN)/python -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder --ignore=tests/browser
	$(call say,the web client)
	@$(NPM) test --silent
	@$(NPM) run --silent size
	$(call say,both in a browser)
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile tests/browser

conformance: setup
	@$(BIN)/python -m pytest -q -m conformance

faults: setup
	@$(BIN)/python -m tests.faults $(SEEDS)

load: setup
	@$(BIN)/python -m load.peers
	@$(BIN)/python -m load --docs

docs: setup chromium web
	$(call say,taking the pictures of docs/pictures)
	@$(BIN)/python -m pytest -q tests/browser -m pictures

chromium:
	@for name in chromium chromium-browser google-chrome; do command -v $$name >/dev/null && exit 0; done; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
	    echo 'The browser tests need Chromium. Run: sudo apt-get install chromium' >&2; exit 1; \
	fi; \
	echo '==> installing Chromium for the browser tests: apt-get install chromium (a minute)'; \
	apt-get -qq -o DPkg::Lock::Timeout=120 update && \
	DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 install --no-install-recommends chromium >/dev/null

# ---- keep up ----

lock:
	$(call say,choosing the newest versions that fit)
	@$(BIN)/uv pip compile $(LOCKING) --extra dev -o requirements-dev.lock
	@$(BIN)/uv pip compile $(LOCKING) --extra build -c requirements-dev.lock -o requirements.lock
	@$(BIN)/uv pip compile $(LOCKING) --extra build --extra traces -c requirements-dev.lock -o requirements-traces.lock
LOCKING = --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml
