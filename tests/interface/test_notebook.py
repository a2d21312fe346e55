"""A progress bar below the cell where `harness.sweep` runs in a notebook, as rich detects one; none elsewhere."""

import builtins
import inspect
import sys
from types import ModuleType, SimpleNamespace

import pytest

import harness
from harness.execution.dispatch import Progress
from harness.interface.notebook import sweeping
from harness.study import sweep as study


class Display(ModuleType):
    """IPython.display as a notebook has it: keeps what is displayed, as HTML."""

    def __init__(self) -> None:
        super().__init__("IPython.display")
        self.displayed, self.updated = [], []

    def display(self, shown, display_id):
        assert display_id is True
        self.displayed.append(html_of(shown))
        return self

    def update(self, shown):
        self.updated.append(html_of(shown))


def html_of(shown) -> str:
    return shown._repr_mimebundle_(include=[], exclude=[])["text/html"]


class ZMQInteractiveShell:
    """What get_ipython() returns in a notebook: rich looks at the name of the class."""


@pytest.fixture
def notebook(monkeypatch):
    found = Display()
    monkeypatch.setattr(builtins, "get_ipython", ZMQInteractiveShell, raising=False)
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", found)
    return found


def test_the_bar_is_displayed_once_and_then_updated(notebook, monkeypatch):
    clock = iter([0.0, 0.1, 1.0, 1.1, 2.0, 2.1])
    monkeypatch.setattr(sweeping, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    report = sweeping.bar_below_cell()
    for networks in (1, 2, 3, 4, 8):  # at 0.1, 1.0, 1.1, 2.0 and 2.1 s; the last says that all is done
        report(Progress(networks, 8, networks / 8))
    assert len(notebook.displayed) == 1 and "2 of 8 networks, 2 a second, 3 s left" in notebook.displayed[0]
    assert ["4 of 8 networks" in html for html in notebook.updated] == [True, False]
    assert "8 of 8 networks" in notebook.updated[1] and "━━━" in notebook.updated[1]


def test_a_sweep_shows_it_unless_the_caller_has_a_report(notebook, monkeypatch, tmp_path):
    monkeypatch.setattr(sweeping, "SECONDS", 0.0)
    config = {"name": "small", "network": {"activation": "relu", "init": "he_normal", "depth": 2, "width": 4}}
    config |= {"replicates": 1, "figures": []}
    said = []
    harness.sweep(config, out=tmp_path / "said", report=said.append)
    assert said and not notebook.displayed
    harness.sweep(config, out=tmp_path / "shown")
    assert "1 of 1 networks" in notebook.displayed[0]


def test_there_is_no_bar_outside_of_a_notebook_and_the_signature_is_the_same():
    assert sweeping.bar_below_cell() is None
    assert inspect.signature(harness.sweep) == inspect.signature(study.sweep)
