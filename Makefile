# Every target sets up what it needs by itself and does nothing twice.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONDONTWRITEBYTECODE :=

CONSOLE := gateway/console
CONSOLE_SOURCES := $(wildcard $(CONSOLE)/*.html $(CONSOLE)/*.ts $(CONSOLE)/tsconfig.json) \
  $(filter-out %/schema.ts,$(shell find $(CONSOLE)/src $(CONSOLE)/public -type f 2>/dev/null))
NPM := npm --no-update-notifier --loglevel error --prefix $(CONSOLE)
PROTOS := $(shell find proto/bihuan -name '*.proto' 2>/dev/null)
# What `make lint` compares the contract with: any git revision.
BASE ?= origin/main
MINUTES ?= 10

.DEFAULT_GOAL := help
.PHONY: help run up down test test-unit soak bench screens lint proto console console-dev lock clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

run: $(VENV)/.demo proto console ## Start everything and replay the real purchase log (ONCE=1 stops after the summary)
	@python -m deploy.local run $(if $(ONCE),--once) $(if $(KEEP),--keep)

up: $(VENV)/.demo proto console ## Start everything and leave it running, without the purchase log
	@python -m deploy.local up

down: $(VENV)/.demo ## Stop what `make run` or `make up` started, also from another terminal
	@python -m deploy.local down

test: $(VENV)/.test proto console .build/browser.stamp ## Run the whole test suite on real servers
	@python -m pytest tests -n 2

test-unit: $(VENV)/.test proto ## Run only the rules' tests, no servers
	@python -m pytest tests/unit

soak: $(VENV)/.test proto ## Properties from a new seed, then MINUTES=10 of kills, freezes and cuts under the whole log
	@BIHUAN_TEST_PROFILE=soak python -m pytest tests/unit tests/integration -m hypothesis --timeout 1800
	@python -m tests.faults.soak --minutes $(MINUTES)

bench: $(VENV)/.test proto console .build/browser.stamp ## Measure speed beside a raw ceiling; writes bench.json
	@python -m tests.bench

screens: $(VENV)/.test proto console .build/browser.stamp ## Take the pictures of the READMEs anew (docs/screens)
	@python -m tests.browser.screens

lint: $(VENV)/.test proto console ## Style, types, arrows between packages, contract
	@ruff check . && ruff format --check .
	@python -m mypy
	@lint-imports
	@buf lint
	@deploy/local/buf_breaking.sh "$(BASE)"

proto: .build/proto.stamp ## Generate the Python code of the contract

.build/proto.stamp: $(PROTOS) $(VENV)/.demo
	@rm -rf proto/gen proto/include && mkdir -p proto/gen proto/include/google .build
	@site=$$(python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])'); \
	mkdir -p proto/include/google/api && cp $$site/google/api/{annotations,http,field_behavior}.proto proto/include/google/api/; \
	python -m grpc_tools.protoc -I proto -I $$site --python_out=proto/gen --grpc_python_out=proto/gen \
	  --mypy_out=readable_stubs,quiet:proto/gen --mypy_grpc_out=quiet:proto/gen \
	  --descriptor_set_out=proto/gen/bihuan.descriptors --include_source_info --include_imports \
	  $(PROTOS:proto/%=%)
	@mv proto/gen/bihuan.descriptors proto/gen/bihuan/contract.descriptors
	@touch $@

console: .build/console.stamp ## Build the web console; the gateway serves it at /console/

console-dev: .build/console-types.stamp ## The console from its sources, reloading, beside a running gateway
	@$(NPM) run dev

.build/console-tree.stamp: $(CONSOLE)/package.json $(CONSOLE)/package-lock.json $(CONSOLE)/.npmrc $(VENV)/.demo
	@echo "installing the console's libraries"
	@mkdir -p .build && npm ci --loglevel error --prefix $(CONSOLE)
	@touch $@

# The document is made of the contract and of what the gateway adds; the client's types are made of the document.
.build/console-types.stamp: .build/console-tree.stamp .build/proto.stamp $(wildcard gateway/rest/*.py)
	@python -m gateway.rest.openapi > .build/openapi.json
	@$(NPM) run --silent types >/dev/null
	@touch $@

.build/console.stamp: .build/console-types.stamp $(CONSOLE_SOURCES)
	@echo "building the console"
	@$(NPM) run --silent check
	@$(NPM) run --silent build -- --logLevel warn
	@touch $@

# A browser for the tests, apart from the console's tree: `make run` needs none.
.build/browser.stamp: tests/browser/package.json tests/browser/package-lock.json tests/browser/.npmrc tests/browser/unpack.mjs $(VENV)/.demo
	@echo "installing a browser"
	@mkdir -p .build && npm ci --loglevel error --prefix tests/browser
	@node tests/browser/unpack.mjs .build/browser
	@touch $@

$(VENV)/bin/uv: requirements-uv.lock
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-uv.lock
	@touch $@

# uv is fast; pip reads the same locks where uv cannot reach a registry that pip is configured for.
define install
	@echo "installing $(1)"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r $(1) \
	  || $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $(1)
endef

$(VENV)/.demo: $(VENV)/bin/uv requirements-demo.lock pyproject.toml
	$(call install,requirements-demo.lock)
	@mkdir -p proto/gen
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --offline -e .
	@touch $@

$(VENV)/.test: $(VENV)/.demo requirements-test.lock
	$(call install,requirements-test.lock)
	@touch $@

lock: $(VENV)/bin/uv ## Resolve the locks anew from pyproject.toml
	@compile="$(BIN)/uv pip compile pyproject.toml --quiet --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11"; \
	$$compile -o requirements.lock && \
	$$compile --extra demo -c requirements.lock -o requirements-demo.lock && \
	$$compile --extra demo --extra test -c requirements-demo.lock -o requirements-test.lock

clean: ## Remove everything that make made, the local data included
	@[ ! -x $(BIN)/python ] || $(BIN)/python -m deploy.local down --home .local 2>/dev/null || true
	@rm -rf $(VENV) .build .local $(CONSOLE)/node_modules $(CONSOLE)/dist tests/browser/node_modules proto/gen proto/include .mypy_cache .ruff_cache .pytest_cache .hypothesis
