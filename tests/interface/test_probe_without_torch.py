"""Nothing imports PyTorch before a probe runs, and where it is missing the message says how to install it."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

import harness
from harness.base.errors import ConfigError
from harness.interface.commands import app
from harness.study.probe import probe as api
from harness.study.probe.judge import KINDS, kinds_matching

EVERYTHING_ELSE = """
import pkgutil, sys
from importlib import import_module
import harness
NEED_TORCH = ("harness.execution.probe.", "harness.interface.probe.users_code", "harness.__main__")
for name in ("sweep", "load", "measure", "probe", "watch", "probe_results", "theory"):
    getattr(harness, name)
for module in pkgutil.walk_packages(harness.__path__, "harness."):
    if not module.name.startswith(NEED_TORCH):
        import_module(module.name)
import harness.execution.probe.tables
assert "torch" not in sys.modules
"""


def test_only_a_probe_imports_torch():
    done = subprocess.run([sys.executable, "-c", EVERYTHING_ELSE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_without_torch_the_message_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(api, "find_spec", lambda name: None)
    how = 'needs PyTorch: pip install "gradient-harness[torch]"'
    for call, what in (
        (lambda: harness.probe(None, None), "harness.probe"),
        (lambda: harness.watch(None), "harness.watch"),
    ):
        with pytest.raises(ConfigError) as refused:
            call()
        assert str(refused.value) == f"{what} {how}"
    done = CliRunner().invoke(app, ["probe", "train.py:model", "--input", "data.npz"])
    assert isinstance(done.exception, ConfigError)
    assert str(done.exception) == f"harness probe {how}"


def test_a_kind_of_finding_may_be_named_by_its_first_word():
    assert kinds_matching("vanishing") == [kind for kind in KINDS if kind.startswith("vanishing ")]
    assert kinds_matching("dead layer") == ["dead layer"]
    with pytest.raises(ConfigError) as refused:
        kinds_matching("vanishin by slopes")
    assert str(refused.value) == "there is no kind of finding 'vanishin by slopes'; did you mean 'vanishing by slopes'?"
