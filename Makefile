# Needs Python 3.11 or later, make and nothing else; everything it installs lies in .venv.
PYTHON ?= python3
ARGS ?=
N ?= 1

BIN := .venv/bin
# A stamp's name holds the checksum of the pins that were installed.
RUN_STAMP := .venv/.run-$(shell cat requirements.txt | cksum | cut -d ' ' -f 1)
DEV_STAMP := .venv/.dev-$(shell cat requirements.txt requirements-dev.txt | cksum | cut -d ' ' -f 1)
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
COMPLETE_ROOMS := service/model/*,service/esp/*,service/esp_kit/*,service/classify/*,service/judge/*,service/alerting/*,service/pipeline/*

.DEFAULT_GOAL := help
.PHONY: help install fmt lint types imports test faults cover migrate run worker demo bench guides pins ci

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

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

worker: $(RUN_STAMP) ## run one more worker
	@exec $(BIN)/python -m service worker

demo: $(RUN_STAMP) ## show what Hopp does with made-up mail
	@exec $(BIN)/python -m service demo

bench: $(DEV_STAMP) ## measure what a reply and an event cost here
	$(BIN)/python -m bench $(ARGS)

guides: $(RUN_STAMP) ## write docs/esp anew from what the adapters say of themselves
	@$(BIN)/python -m service sources --write-guides docs/esp

pins: $(DEV_STAMP) ## pin anew what requirements*.in want; ARGS=--upgrade takes newer versions
	$(COMPILE) $(ARGS) requirements.in --output-file requirements.txt
	$(COMPILE) $(ARGS) requirements-dev.in --output-file requirements-dev.txt

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
