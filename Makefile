# Two commands do everything: `make demo` and `make test`. Each prepares what it needs.
PYTHON ?= python3
BIN := .venv/bin
SEED ?= 0

.PHONY: help setup demo test check soak bench screenshots schema clean
.DEFAULT_GOAL := help

help:
	@echo "make demo         three worlds, a server, advertisers and walkers: the main job, live"
	@echo "make test         formatting, lint, types, import rules, all tests, the wheel in a clean environment"
	@echo "make setup        .venv with every extra"
	@echo "make schema       write the generated parts of spec/"
	@echo "make screenshots  the README's pictures"
	@echo "make bench        benchmarks, as ratios"
	@echo "make soak         the long tests"

setup: .venv/ready

.venv/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "OpenSlot needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || { echo "setup: creating .venv"; $(PYTHON) -m venv .venv || { echo "python3 has no venv module: apt-get install python3-venv"; exit 1; }; }
	@echo "setup: installing openslot with every extra (a minute or two, once)"
	@$(BIN)/pip install -qq --disable-pip-version-check -e '.[all]'
	@touch $@

tests/tools/node_modules/ready: tests/tools/package.json
	@command -v npm >/dev/null || { echo "make test needs Node.js 18 or newer with npm: apt-get install nodejs npm"; exit 1; }
	@echo "setup: installing the Khronos validator and three.js from npm"
	@npm install --prefix tests/tools --no-package-lock --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: browser
browser:
	@tests/tools/need-chromium

.PHONY: gl
gl:
	@tests/tools/need-gl

demo: .venv/ready
	@$(BIN)/openslot demo $(ARGS)

check: .venv/ready
	@echo "test: formatting and lint"
	@$(BIN)/ruff format --check --quiet . || { echo "run: .venv/bin/ruff format ."; exit 1; }
	@$(BIN)/ruff check --quiet .
	@echo "test: types"
	@$(BIN)/mypy --no-error-summary
	@echo "test: import rules"
	@$(BIN)/lint-imports --no-logo 2>&1 | tail -n 4

.PHONY: linux
linux:
	@test -e /proc/self || { echo "make test needs Linux: the limits of the creatives' sandbox are its kernel's; run it in a container"; exit 1; }

test: linux check tests/tools/node_modules/ready browser gl
	@echo "test: all tests"
	@$(BIN)/pytest -n 2 --dist loadgroup -q -m "not soak"
	@echo "test: the wheel in a clean environment"
	@$(BIN)/python tests/tools/wheel_check.py

schema: .venv/ready
	@$(BIN)/python -m openslot_spec.generate spec
	@$(BIN)/python -m openslot_server.creatives.codes spec

screenshots: .venv/ready browser
	@$(BIN)/python -m openslot_demo.screenshots assets/screenshots

bench: .venv/ready
	@for name in visibility ingest decisions creatives; do $(BIN)/openslot bench $$name || exit 1; done

soak: .venv/ready tests/tools/node_modules/ready
	@$(BIN)/pytest -q -m soak

clean:
	rm -rf .venv dist build tests/tools/node_modules .mypy_cache .ruff_cache .pytest_cache
