# Needs Python 3.11 or later, make and nothing else; everything it installs lies in .venv.
PYTHON ?= python3
ARGS ?=
N ?= 1
SECONDS ?= 60

BIN := .venv/bin
# A stamp's name holds the checksum of the pins that were installed.
RUN_STAMP := .venv/.run-$(shell cat requirements.txt | cksum | cut -d ' ' -f 1)
BENCH_STAMP := .venv-bench/.bench-$(shell cat requirements-bench.txt | cksum | cut -d ' ' -f 1)
FUZZ_STAMP := .venv-fuzz/.fuzz-$(shell cat requirements.txt requirements-fuzz.txt | cksum | cut -d ' ' -f 1)
DEV_STAMP := .venv/.dev-$(shell cat requirements.txt requirements-dev.txt | cksum | cut -d ' ' -f 1)
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
COMPLETE_ROOMS := service/model/*,service/esp/*,service/esp_kit/*,service/classify/*,service/judge/*,service/alerting/*,service/pipeline/*

.DEFAULT_GOAL := help
.PHONY: help install fmt lint types imports test faults cover migrate run worker demo bench bench-full fuzz guides pins ci

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

install: $(DEV_STAMP) ## put all that running and testing need into .venv

fmt: $(DEV_STAMP) ## format the code and mend what can be mended without thought
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

lint: $(DEV_STAMP) ## check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV_STAMP) ## check the types
	$(BIN)/mypy

imports: $(DEV_STAMP) ## check that every room knows only what it may
	$(BIN)/lint-imports --no-logo

test: lint types imports ## check everything, on SQLite and on PostgreSQL; ARGS goes to pytest
	$(BIN)/python -m pytest $(ARGS)

faults: $(DEV_STAMP) ## break part after part under load, N=1 times: nothing accepted may be lost
	@for round in $$(seq $(N)); do \
		echo "round $$round of $(N)"; \
		$(BIN)/python -m pytest tests/faults --quiet --capture=no --show-capture=no $(ARGS) || exit 1; \
	done

cover: $(DEV_STAMP) ## run the tests and hold the shares of branches they must reach
	$(BIN)/python -m pytest --cov --cov-report= $(ARGS)
	$(BIN)/coverage report --fail-under=95
	$(BIN)/coverage report --fail-under=100 --include='$(COMPLETE_ROOMS)'

migrate: $(RUN_STAMP) ## bring the database's tables up to date
	$(BIN)/python -m service migrate

run: $(RUN_STAMP) ## serve: web and worker together, on SQLite unless set otherwise
	@exec $(BIN)/python -m service serve

worker: $(RUN_STAMP) ## run one more worker, where the inbox is in PostgreSQL or NATS
	@exec $(BIN)/python -m service worker

demo: $(RUN_STAMP) ## show what Hopp does with made-up mail
	@exec $(BIN)/python -m service demo

bench: $(DEV_STAMP) $(BENCH_STAMP) ## measure Hopp beside the machine's limits and its peers, under ten minutes: bench/RESULTS.md
	$(BIN)/python -m bench $(ARGS)

bench-full: $(DEV_STAMP) $(BENCH_STAMP) ## the same with large tables, slow disk, backlog and JetStream; goes on where it was broken off
	$(BIN)/python -m bench --full $(ARGS)

fuzz: $(FUZZ_STAMP) ## look for input that breaks an adapter, SECONDS=60 for each; ARGS may name some
	.venv-fuzz/bin/python -m fuzz --seconds $(SECONDS) $(ARGS)

guides: $(RUN_STAMP) ## write docs/esp anew from what the adapters say of themselves
	@$(BIN)/python -m service sources --write-guides docs/esp

pins: $(DEV_STAMP) ## pin anew what requirements*.in want; ARGS=--upgrade takes newer versions
	$(COMPILE) $(ARGS) requirements.in --output-file requirements.txt
	$(COMPILE) $(ARGS) requirements-dev.in --output-file requirements-dev.txt
	$(COMPILE) $(ARGS) requirements-fuzz.in --output-file requirements-fuzz.txt
	$(COMPILE) $(ARGS) requirements-bench.in --output-file requirements-bench.txt

ci: ## do exactly what CI does
	CI=true bash .ci/run

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Hopp needs Python 3.11 or later, and $(PYTHON) is " \
		+ sys.version.split()[0] + ". Name a later one: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

$(RUN_STAMP): | $(BIN)/python
	$(PIP_INSTALL) -r requirements.txt
	@rm -f .venv/.run-* && touch $@

$(DEV_STAMP): | $(RUN_STAMP)
	$(PIP_INSTALL) -r requirements.txt -r requirements-dev.txt
	@rm -f .venv/.dev-* && touch $@

# The peers that are measured have an environment of their own, so that ours stays what it is.
$(BENCH_STAMP): | $(BIN)/python
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.txt
	@rm -f .venv-bench/.bench-* && touch $@

$(FUZZ_STAMP): | $(BIN)/python
	$(PYTHON) -m venv .venv-fuzz
	.venv-fuzz/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt -r requirements-fuzz.txt
	@rm -f .venv-fuzz/.fuzz-* && touch $@
