# make sweep    run $(CONFIG)                                  (make sweep CONFIG="configs/my init.yaml")
# make test     run the tests on all cores                     (make test ARGS="-k scaled")
# make browser  install the browser that tests of the report page run in (Debian's chromium, with apt)
# make test-torch   install the pinned PyTorch and run the tests that need it   (make test-torch TORCH=torch==2.6.0, the oldest that passes)
# make test-architectures   install torchvision, timm, transformers, Keras and JAX, and probe networks of theirs
# make test-firefox   install Debian's Firefox, and test the report page in it
# make lint     check formatting, style and types
# make docs     build the documentation into docs/_build/html and run its notebook; warnings are errors
# make verify   run the experiments again, grade their claims and compare with the references   (make verify ARGS="--size ci")
# make soak     repeat the tests of faults many times, plant every error: an hour or more
# make cases    write docs/cases.md from the sweeps in configs/cases
# make bench    run the benchmarks of docs/performance.md      (make bench ARGS="--grids wide --runs 3")
# make lock     renew requirements/*.txt
# make clean    remove .venv, built pages and caches; results stay
#
# Every target first installs what it needs into .venv. Stamp files in .venv record what is installed, so a second run
# installs nothing. Works with GNU make 3.81.

PYTHON ?= python3
CONFIG ?= configs/depth.yaml
ARGS ?=
TORCH ?=
# A newer one comes when the tests have passed with it, and not with every `make lock`.
PINNED_TORCH := torch==2.14.1

VENV := .venv
PY := $(VENV)/bin/python
# The script .venv/bin/harness names the folder of the checkout in its first line, where not every name works.
HARNESS := $(PY) -P -m harness
PIP := $(PY) -m pip --disable-pip-version-check --quiet
INSTALL := $(PIP) install --require-hashes -r
SCHEMA := configs/schema.json
PAGES := docs/_build

LOCK := $(VENV)/lock/bin/uv pip compile --quiet --no-config --universal --python-version 3.11 --upgrade \
	--generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links
LOCK_WITH_RUNTIME := $(LOCK) pyproject.toml --constraint requirements/runtime.txt
INSTALL_TORCH := $(if $(TORCH),$(PIP) install '$(TORCH)',$(INSTALL) requirements/torch.txt)

.DELETE_ON_ERROR:
.PHONY: sweep test test-torch test-architectures test-firefox browser lint cases docs verify soak bench lock clean

# Quoted for the shell: the file's name may hold spaces, quotes or a dollar sign.
sweep: $(SCHEMA)
	$(HARNESS) sweep '$(subst ','\'',$(value CONFIG))' $(ARGS)

# Tests that measure time run after the others, one at a time. Exit code 5: no test was selected.
test: $(SCHEMA) $(VENV)/.test
	@status=0; \
	$(PY) -m pytest --numprocesses auto --dist loadfile -m "not torch and not alone" $(ARGS) || status=$$?; \
	$(PY) -m pytest -m alone $(ARGS) || { code=$$?; test $$code -eq 5 || status=$$code; }; \
	exit $$status

# Installed without a stamp file, because an earlier call with TORCH may have left another PyTorch in .venv. One thread in
# each process: with more, the processes compete for the cores and take twice the time.
test-torch: $(SCHEMA) $(VENV)/.test
	$(INSTALL_TORCH)
	OMP_NUM_THREADS=1 $(PY) -m pytest --numprocesses auto --dist loadfile -m torch $(ARGS)

# Networks from their configs, with random weights: nothing is downloaded but the packages. JAX runs the lines of a page.
test-architectures: $(SCHEMA) $(VENV)/.test
	$(INSTALL_TORCH)
	$(PIP) install '$(or $(TORCH),$(PINNED_TORCH))' torchvision timm transformers keras jax
	ARCHITECTURES=required $(PY) -m pytest -m torch tests/study/probe/test_architectures.py $(ARGS)
	ARCHITECTURES=required $(PY) -m pytest tests/study/probe/test_arrays.py -k jax $(ARGS)

# Where it cannot be had, tests that need it are skipped and give the reason; with BROWSER=required they fail.
browser:
	@command -v chromium || { apt-get update -qq && apt-get install -qq --no-install-recommends chromium; }

# Firefox speaks WebDriver BiDi over a WebSocket; the package is not locked, since nothing else needs it.
test-firefox: $(SCHEMA) $(VENV)/.test
	@command -v firefox-esr || command -v firefox || { apt-get update -qq && apt-get install -qq --no-install-recommends firefox-esr; }
	$(PIP) install websockets
	FIREFOX=required $(PY) -m pytest tests/interface/report/test_in_firefox.py $(ARGS)

lint: $(VENV)/.project $(VENV)/.lint
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy

cases: $(VENV)/.project
	$(PY) docs/cases.py

docs: $(VENV)/.project $(VENV)/.docs
	$(PY) -m sphinx --fail-on-warning --keep-going --fresh-env --quiet docs $(PAGES)/html
	@echo "$(PAGES)/html/index.html"

verify: $(SCHEMA)
	$(HARNESS) verify $(ARGS)

soak: $(SCHEMA) $(VENV)/.test
	SOAK=1 $(PY) -m pytest --timeout=0 tests/test_faults.py tests/test_damage.py tests/test_stale_results.py \
		tests/test_surroundings.py tests/test_upgrade.py tests/test_file_systems.py tests/test_output.py tests/test_limits.py \
		tests/execution/test_cluster.py tests/execution/test_cluster_surroundings.py tests/test_mutations.py \
		tests/test_planted_errors.py tests/base/test_interval_coverage.py tests/study/test_fresh_seeds.py \
		tests/study/test_training_power.py $(ARGS)

bench: $(VENV)/.project
	$(PY) -m benchmarks $(ARGS)

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "harness needs Python 3.11 or newer, and '$(PYTHON)' is not: try make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.runtime: $(VENV)/.made requirements/runtime.txt requirements/build.txt
	$(INSTALL) requirements/runtime.txt -r requirements/build.txt
	@touch $@

# --no-build-isolation: the build backend is the hash-locked one that is installed above.
$(VENV)/.project: $(VENV)/.runtime pyproject.toml
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.test $(VENV)/.lint $(VENV)/.docs: $(VENV)/.%: requirements/%.txt $(VENV)/.runtime | $(VENV)/.project
	$(INSTALL) $<
	@touch $@

# For editors: the configs name it in their first line. It follows from the code, so Git does not keep it.
$(SCHEMA): $(VENV)/.project $(shell find harness/config harness/networks -name '*.py')
	@$(HARNESS) schema > $@

# All contain the versions of runtime.txt, and test.txt those of torch.txt, since the tests of PyTorch need both in one
# environment: sympy, which PyTorch needs, excludes the newest mpmath. The backend's version comes from pyproject.toml.
lock: $(VENV)/.made
	$(PY) -m venv $(VENV)/lock
	$(VENV)/lock/bin/python -m pip --disable-pip-version-check --quiet install --upgrade uv
	$(LOCK) pyproject.toml --output-file requirements/runtime.txt
	echo '$(PINNED_TORCH)' | $(LOCK_WITH_RUNTIME) - --extra torch --output-file requirements/torch.txt
	$(LOCK) pyproject.toml --constraint requirements/torch.txt --extra test --extra dask --output-file requirements/test.txt
	$(LOCK_WITH_RUNTIME) --extra lint --output-file requirements/lint.txt
	$(LOCK_WITH_RUNTIME) --extra docs --output-file requirements/docs.txt
	$(PY) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
		| $(LOCK) - --output-file requirements/build.txt

clean:
	rm -rf $(VENV) $(PAGES) docs/generated $(SCHEMA) .pytest_cache .hypothesis .ruff_cache .mypy_cache dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
