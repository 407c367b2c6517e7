# The two commands a newcomer needs are `make demo` and `make test`. Each first creates what it needs:
# a virtual environment in .venv with the versions in requirements/dev.txt.
PYTHON ?= python3
BIN := .venv/bin
OUTPUT ?= demo

.PHONY: demo test slow lint package backends jax parity export beam gaze tfio browser docs help

help:
	@echo "make demo      train a small model, compare it with baselines, write a film and a page"
	@echo "make test      the tests (a few minutes)"
	@echo "make slow      the tests that take longer"
	@echo "make lint      ruff, linter and formatter"
	@echo "make package   build, install and use the package in an empty environment"
	@echo "make backends  the conformance tests on JAX and PyTorch, without TensorFlow"
	@echo "make jax       training on JAX, from tf.data on two devices and in two processes"
	@echo "make parity    converted weights against reference models in PyTorch"
	@echo "make export    exported models, run by the target programs"
	@echo "make beam      shards written by Apache Beam"
	@echo "make browser   the pages in headless Chromium (Debian: apt-get install chromium chromium-driver)"
	@echo "make docs      the documentation site, into site/"
	@echo "make gaze      .asc files and detected fixations, by pymovements"
	@echo "make tfio      shards read from S3 and http (Python 3.10 to 3.12)"

.venv/.done: requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 10) <= v <= (3, 13) else f"Python 3.10 to 3.13 is needed. Received: {sys.version}. Name another: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

demo: .venv/.done
	$(BIN)/python -m zoo.recipes.demo --output $(OUTPUT)

test: .venv/.done
	$(BIN)/python -m pytest -q -n 2 --dist loadfile

slow: .venv/.done
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m slow

lint: .venv/.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

package: .venv/.done
	$(BIN)/python tests/package/check.py

.venv-backends/.done: requirements/backends.txt requirements/torch.txt
	$(PYTHON) -m venv .venv-backends
	.venv-backends/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/backends.txt
	.venv-backends/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/torch.txt
	@touch $@

backends: backend-jax backend-torch

# On JAX, compiling the small models takes longer than computing them, and half as long this way.
backend-%: .venv-backends/.done
	XLA_FLAGS="--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true" \
	KERAS_BACKEND=$* .venv-backends/bin/python -m pytest -q tests/conformance

.venv-jax/.done: requirements/dev.txt requirements/backends.txt
	$(PYTHON) -m venv .venv-jax
	.venv-jax/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	.venv-jax/bin/python -m pip install --quiet --disable-pip-version-check -c requirements/backends.txt jax
	@touch $@

jax: .venv-jax/.done
	.venv-jax/bin/python -m pytest -q tests/training/test_fit.py -k two_devices -m "slow or not slow"
	KERAS_BACKEND=jax .venv-jax/bin/python -m pytest -q tests/conformance/test_devices.py -m slow

parity: .venv-backends/.done
	KERAS_BACKEND=torch .venv-backends/bin/python -m pytest -q tests/weights/parity -m "slow or not slow"

.venv-export/.done: requirements/export.txt
	$(PYTHON) -m venv .venv-export
	.venv-export/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/export.txt
	@touch $@

export: .venv-export/.done
	CI=true .venv-export/bin/python -m pytest -q tests/export -m "slow or not slow"

.venv-beam/.done: requirements/beam.txt
	$(PYTHON) -m venv .venv-beam
	.venv-beam/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/beam.txt
	@touch $@

beam: .venv-beam/.done
	.venv-beam/bin/python -m pytest -q tests/datasets/test_beam.py

.venv-gaze/.done: requirements/gaze.txt
	$(PYTHON) -m venv .venv-gaze
	.venv-gaze/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/gaze.txt
	@touch $@

gaze: .venv-gaze/.done
	.venv-gaze/bin/python -m pytest -q tests/datasets/test_trackers.py

.venv-tfio/.done: requirements/tfio.txt
	$(PYTHON) -m venv .venv-tfio
	.venv-tfio/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/tfio.txt
	@touch $@

tfio: .venv-tfio/.done
	.venv-tfio/bin/python -m pytest -q -p tests.datasets.leave_at_once tests/datasets/test_cloud.py

.venv/.browser: .venv/.done requirements/browser.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/browser.txt
	@touch $@

browser: .venv/.browser
	$(BIN)/python -m pytest -q tests/browser

.venv-docs/.done: requirements/docs.txt
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/docs.txt
	@touch $@

# The reference is read from the installed package, because a checkout has several source folders.
docs: .venv-docs/.done
	rm -rf build/package
	.venv-docs/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --target build/package .
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --quiet
