# make sweep    set up on first use, then run $(CONFIG)
# make test     set up on first use, then run the tests      (make test ARGS="-k scaled")
# make soak     the tests of faults, many times over: minutes
# make verify   set up on first use, then run the experiments again and grade their claims   (make verify ARGS="--size ci")
# make bench    the benchmarks: docs/performance.md   (make bench ARGS="--grids wide --runs 3")
# make lock     renew requirements/*.txt
# make clean    remove .venv and caches; results stay
#
# Stamps in .venv say what is installed, so a second run installs nothing. Works with GNU make 3.81.

PYTHON ?= python3
CONFIG ?= configs/depth.yaml
ARGS ?=

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet
COMPILE := $(VENV)/lock/bin/uv pip compile --quiet --no-config --universal --python-version 3.11 --upgrade \
	--generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links

.PHONY: sweep test verify soak bench lock clean

sweep: $(VENV)/.project
	$(VENV)/bin/harness sweep $(CONFIG) $(ARGS)

test: $(VENV)/.project $(VENV)/.test
	$(PY) -m pytest $(ARGS)

verify: $(VENV)/.project
	$(VENV)/bin/harness verify $(ARGS)

soak: $(VENV)/.project $(VENV)/.test
	SOAK=1 $(PY) -m pytest tests/test_faults.py tests/test_damage.py tests/test_mutations.py $(ARGS)

bench: $(VENV)/.project
	$(PY) -m benchmarks $(ARGS)

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "harness needs Python 3.11 or newer, and '$(PYTHON)' is not: try make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.runtime: $(VENV)/.made requirements/runtime.txt requirements/build.txt
	$(PIP) install --require-hashes -r requirements/runtime.txt -r requirements/build.txt
	@touch $@

# --no-build-isolation: the build backend is the hash-locked one that is installed above.
$(VENV)/.project: $(VENV)/.runtime pyproject.toml
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.runtime requirements/test.txt | $(VENV)/.project
	$(PIP) install --require-hashes -r requirements/test.txt
	@touch $@

# test.txt is held to runtime.txt's versions; the backend's version comes from pyproject.toml.
lock: $(VENV)/.made
	$(PY) -m venv $(VENV)/lock
	$(VENV)/lock/bin/python -m pip --disable-pip-version-check --quiet install --upgrade uv
	$(COMPILE) pyproject.toml --output-file requirements/runtime.txt
	$(COMPILE) pyproject.toml --extra test --extra dask --constraint requirements/runtime.txt --output-file requirements/test.txt
	$(PY) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
		| $(COMPILE) - --output-file requirements/build.txt

clean:
	rm -rf $(VENV) .pytest_cache .hypothesis .ruff_cache dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
