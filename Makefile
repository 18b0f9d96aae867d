# Everything a person needs: make demo, make test. The rest is for those who change things: make help.
.DEFAULT_GOAL := help
VENV := .venv
PYTHON ?= python3
BIN := $(VENV)/bin

.PHONY: help install demo serve test lint types layers check crash bench lock clean

help:  ## say what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# A Debian without python3-venv can still make a virtual environment without pip; its own pip then installs into it.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Mutoscope needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || $(PYTHON) -m venv --without-pip --clear $(VENV)

PIP_INSTALL = if [ -x $(BIN)/pip ]; then $(BIN)/pip --disable-pip-version-check install -q $(1); \
	else $(PYTHON) -m pip --disable-pip-version-check --python $(BIN)/python install -q $(1); fi

$(VENV)/.runtime: locks/build.txt locks/runtime.txt pyproject.toml | $(BIN)/python
	@echo "Installing Mutoscope into $(VENV) (once) ..."
	@$(call PIP_INSTALL,--require-hashes -r locks/build.txt)
	@$(call PIP_INSTALL,--require-hashes --no-build-isolation -r locks/runtime.txt)
	@$(call PIP_INSTALL,--no-deps --no-build-isolation -e .)
	@touch $@

$(VENV)/.test: locks/test.txt $(VENV)/.runtime
	@echo "Installing what the tests need (once) ..."
	@$(call PIP_INSTALL,--require-hashes --no-build-isolation -r locks/test.txt)
	@touch $@

install: $(VENV)/.runtime  ## install the studio into .venv from the hash-locked files

serve: $(VENV)/.runtime  ## start the studio
	@$(BIN)/mutoscope serve

demo: $(VENV)/.runtime  ## start the studio and make a picture and two films in it
	@MUTOSCOPE_PORT=$${MUTOSCOPE_PORT:-0} MUTOSCOPE_DATA_DIR=$${MUTOSCOPE_DATA_DIR:-mutoscope-demo} \
		$(BIN)/mutoscope serve --demo

test: $(VENV)/.test  ## run the tests (set SEED=n to repeat a random run)
	@$(BIN)/python -m pytest -n 2 $(if $(SEED),--seed=$(SEED)) tests --ignore=tests/e2e
	@echo "In a browser, which wants both processors for itself ..."
	@$(BIN)/python -m pytest $(if $(SEED),--seed=$(SEED)) tests/e2e

lint: $(VENV)/.test
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(VENV)/.test
	@$(BIN)/basedpyright

layers: $(VENV)/.test
	@$(BIN)/lint-imports

check: lint types layers test  ## lint, types, layers and tests

crash: $(VENV)/.test  ## kill the server 200 times and prove that nothing was lost
	@$(BIN)/python -m pytest tests/crash --kills=200 --timeout=3600 -s

bench: $(VENV)/.test  ## measure every claim against its baseline
	@PYTHONPATH=tests:. $(BIN)/python -m benchmarks $(ONLY)

lock:  ## resolve the locked versions again (needs uv)
	@for set in build test; do uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate \
		--no-header --group $$set $$( [ $$set = test ] && echo pyproject.toml ) -o locks/$$set.txt; done
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
		-c locks/test.txt pyproject.toml -o locks/runtime.txt

clean:
	@rm -rf $(VENV)
