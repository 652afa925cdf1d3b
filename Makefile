# Two commands: `make run` starts everything, `make test` tests it. Python 3.11 to 3.14; Node for the web page.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := app schema resolvers sandbox migrations tests bench

.PHONY: run test quick check bench web graphiql stock-clients schema lock clean

run: $(VENV)/.installed graphiql
	$(BIN)/counterfoil dev

test: $(VENV)/.installed
	$(BIN)/pytest -n auto

# What answers at once, and the tests of what was changed since the branch left main.
quick: $(VENV)/.installed
	$(BIN)/ruff check --quiet .
	$(BIN)/lint-imports
	$(BIN)/python -m tests.quick

check: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/pytest -n auto -q tests/tidy tests/migrations tests/contract

bench: $(VENV)/.installed
	$(BIN)/python -m bench

# GraphiQL's bundle, from npm into an ignored folder. Without Node the page says so and offers a plain form.
graphiql:
	@if command -v npm >/dev/null 2>&1; then $(MAKE) --no-print-directory web/graphiql/dist/.built; \
	else echo "Node is not installed: the GraphiQL page will be a plain form."; fi

web: web/graphiql/dist/.built

web/graphiql/dist/.built: web/graphiql/package-lock.json web/graphiql/build.mjs $(wildcard web/graphiql/src/*)
	cd web/graphiql && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build
	@touch $@

# The clients of others that tests/stock_clients runs, from npm into an ignored folder.
stock-clients: tests/stock_clients/node_modules/.installed

tests/stock_clients/node_modules/.installed: tests/stock_clients/package-lock.json
	cd tests/stock_clients && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

schema: $(VENV)/.installed
	$(BIN)/counterfoil schema export > schema.graphql

# Needs uv. The lock holds hashes for every platform and Python, and no address of an index.
lock:
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate --quiet -o requirements.lock

$(VENV)/.installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 15) else "Counterfoil needs Python 3.11 to 3.14; set PYTHON=python3.12, say.")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $@

clean:
	rm -rf $(VENV) .counterfoil web/graphiql/node_modules web/graphiql/dist tests/stock_clients/node_modules
