# Two commands do everything on a fresh machine: `make run` and `make test`. `make help` lists the rest.

PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
PIP    := $(PY) -m pip install --disable-pip-version-check --progress-bar off
# of the requirements and of the Python that is to use them: another one of either sets up anew
stamp   = $(VENV)/.$(1)-$(shell { $(PYTHON) -V; cat $(2); } 2>&1 | cksum | cut -d' ' -f1)
READY  := $(call stamp,ready,requirements.txt requirements-local.txt)
TOOLS  := $(call stamp,tools,requirements.txt requirements-local.txt requirements-dev.txt)

export PYTHONUNBUFFERED = 1

.DEFAULT_GOAL := help
.PHONY: help setup tools run up debug demo trigger replay token test lint types schemas unit bench bench-peers clean stop status reset logs doctor

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# in the background, with a line every two seconds; its status is that of what was told of
TOLD = & pid=$$!; [ -t 2 ] && end='\r' || end='\n'; seconds=0; \
  while kill -0 $$pid 2>/dev/null; do sleep 2; seconds=$$((seconds + 2)); \
    printf "  %s s, %s packages$$end" $$seconds "$$(ls $(VENV)/lib/python*/site-packages 2>/dev/null | grep -c dist-info)" >&2; done; \
  echo >&2; wait $$pid

# from the requirements with hashes, where there are any ($(1)), and then those without ($(2))
install = if command -v uv >/dev/null; then $(if $(1),uv pip install --python $(PY) --require-hashes -r $(1) >&2 &&) \
	  uv pip install --python $(PY) -r $(2) >&2; else \
	  { $(if $(1),$(PIP) --require-hashes -r $(1) &&) $(PIP) -r $(2); } >$(VENV)/setup.log 2>&1 $(TOLD) || \
	  { tail -20 $(VENV)/setup.log >&2; exit 1; }; fi

setup: $(READY) local.settings.json  ## make the virtual environment and the local settings

$(READY): requirements.txt requirements-local.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; set PYTHON=…")'
	@echo "Setting up $(VENV) with $$($(PYTHON) -V) (once, and again when it or the requirements change)" >&2
	@[ "$$($(PY) -V 2>&1)" = "$$($(PYTHON) -V 2>&1)" ] || { $(PYTHON) -m venv --clear $(VENV) $(TOLD); }
	@$(call install,requirements.txt,requirements-local.txt)
	@rm -f $(VENV)/.ready-* && touch $@

tools: setup $(TOOLS)  ## what checks, tests, debugs and packs it, besides; the targets that need it call this

$(TOOLS): $(READY) requirements-dev.txt
	@echo "Adding what checks and tests it to $(VENV)" >&2
	@$(call install,,requirements-dev.txt)
	@rm -f $(VENV)/.tools-* && touch $@

# made once; from then on it is yours
local.settings.json: | local.settings.sample.json
	@cp local.settings.sample.json $@

run: setup  ## set up, start everything, buy one real basket, fill the shop, serve until Ctrl-C; SPLIT=1: a host per service; INSTANCES=3: so many of each, INSTANCES=auto: as many as it takes; RELOAD=0: changes wait for the next start
	@SPLIT=$(SPLIT) INSTANCES=$(INSTANCES) RELOAD=$(RELOAD) exec $(PY) -m scripts.run

up: setup  ## start everything and serve until Ctrl-C, without filling the shop or buying
	@exec $(PY) -m localazure up $(if $(filter 0,$(RELOAD)),,--reload)

debug: tools  ## start everything with the app in one process, to which a debugger may attach: DEBUG_PORT=5678
	@exec $(PY) -m localazure up --set functions.debug=$(or $(DEBUG_PORT),5678)

stop: setup  ## stop what runs, as Ctrl-C would
	@$(PY) -m localazure stop

status: setup  ## what runs, where, and whether it answers; its orders, queues and dead letters
	@$(PY) -m scripts.status

logs: setup  ## the logs of all parts as one: FOLLOW=1 ORDER=ord_… SERVICE=orders PART=functions JSON=1
	@$(PY) -m localazure logs $(PART) $(if $(FOLLOW),--follow) $(if $(JSON),--json) $(if $(ORDER),--where order_id=$(ORDER)) $(if $(SERVICE),--where service=$(SERVICE))

doctor: setup  ## whether this machine can run it: Python, ports, disk, open files, clock
	@$(PY) -m localazure doctor

reset: setup  ## forget the state of what ran: orders, stock, keys; the environment stays
	@$(PY) -m localazure reset

demo: setup  ## buy a basket from what is running: BASKET=536592 ACCOUNT=shopper2 PAYMENT=pm_card_chargeDeclined
	@$(PY) -m scripts.demo $(if $(BASKET),--basket $(BASKET)) $(if $(ACCOUNT),--account $(ACCOUNT)) $(if $(PAYMENT),--payment-method $(PAYMENT))

trigger: setup  ## play a story on what is running: EVENT=confirmed | declined | out_of_stock | cancelled | refunded | silent_provider | timed_out | duplicate | poison
	@$(PY) -m scripts.trigger $(or $(EVENT),--help)

replay: setup  ## every row of a file of real traffic as orders, returns and stock, then the books: FILE=… RATE=… LIMIT=…
	@$(PY) -m scripts.replay $(if $(FILE),--file $(FILE)) $(if $(RATE),--rate $(RATE)) $(if $(LIMIT),--limit $(LIMIT))

token: setup  ## print an access token: ACCOUNT=shopper | shopper2 | staff | admin
	@$(PY) -m scripts.token $(or $(ACCOUNT),shopper)

# whole systems have the machine to themselves: what they are asked to do in time, they do beside nothing else
SYSTEMS = tests/chaos tests/e2e

test: tools lint types  ## lint, strict types, import contracts and every test; those without a whole system two files at a time: JOBS=2
	@failed=0; $(PY) -m pytest -n $(or $(JOBS),2) --dist loadfile --no-loadscope-reorder --durations 20 $(SYSTEMS:%=--ignore=%) || failed=1; \
	  $(PY) -m pytest --durations 20 $(SYSTEMS) || failed=1; exit $$failed

lint: tools  ## style, and that what is written from declarations is up to date
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(PY) -m scripts.infrastructure --check

types: tools  ## strict types
	@$(VENV)/bin/mypy

schemas: setup  ## write what follows from the services' declarations: infra/, the API as OpenAPI, policies, event schemas, tables
	@$(PY) -m scripts.infrastructure
	@$(PY) -m scripts.capacity --write

unit: tools  ## the tests that need no server, in a few seconds
	@$(PY) -m pytest tests/unit tests/architecture

# stdout is the result's alone, so that it can be piped
bench:  ## measure the app and localazure, JSON on stdout: ONLY=orders SECONDS=30 SHOPPERS=20
	@$(MAKE) --no-print-directory setup >&2
	@exec $(PY) -m scripts.bench $(BENCH)

bench-peers:  ## measure the same work on other engines and servers (installs them), JSON on stdout: ONLY=sagas
	@$(MAKE) --no-print-directory setup >&2
	@exec $(PY) -m scripts.bench.peers $(BENCH)

BENCH = $(if $(ONLY),--only $(ONLY)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SHOPPERS),--shoppers $(SHOPPERS))

# What Core Tools needs
.PHONY: backing

backing: setup  ## start what `func start` needs around the app, and say what local.settings.json needs: GATEWAY=1 ONLY=entra,stripe,easypost,email
	@exec $(PY) -m scripts.backing $(if $(GATEWAY),--gateway) $(if $(ONLY),--only $(ONLY))

# What is deployed, and how
.PHONY: lock licences package sbom

# with UPGRADE=1, newer releases of what requirements.in does not name; without it, only what it asks for changes
lock: tools  ## write requirements.txt, the lock with hashes, from requirements.in, and the list of licences: UPGRADE=1
	@$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url $(if $(UPGRADE),--upgrade) \
	  --custom-compile-command "make lock" requirements.in --output-file requirements.txt
	@$(MAKE) --no-print-directory licences

licences: tools  ## write docs/licences.md from the metadata of what is deployed
	@$(PY) -m scripts.release.licences

package:  ## build the zip that is deployed, and report its size and import time: SERVICE=orders (default: all)
	@$(PYTHON) -m scripts.release.package $(or $(SERVICE),--all) --time 5

sbom: tools  ## write the software bill of materials of what is deployed, CycloneDX: .artifacts/sbom.cdx.json
	@$(PY) -m scripts.release.sbom --output .artifacts/sbom.cdx.json

clean:  ## forget everything: local state, caches and the virtual environment; refused while something runs
	@if [ -x $(PY) ] && $(PY) -m localazure status; then echo "Stop it first: make stop" >&2; exit 1; fi
	@rm -rf .local $(VENV) .venv-bench .venv-runtime .venv-deployed local.settings.json .mypy_cache .ruff_cache .pytest_cache .hypothesis .artifacts
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
