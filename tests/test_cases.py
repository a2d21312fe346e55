"""The page of public cases: every config is on it, and the numbers of the cheap ones are those of a rerun."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_spec = importlib.util.spec_from_file_location("cases", ROOT / "docs" / "cases.py")
cases = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(cases)
PAGE = (ROOT / "docs" / "cases.md").read_text(encoding="utf-8")
CHEAP = ("linear_std_1", "sigmoid_defaults", "classifier_squared", "selu_gain")


def test_every_config_is_a_case_of_the_page():
    names = sorted(path.stem for path in cases.CONFIGS.glob("*.yaml"))
    assert names == sorted(case.name for case in cases.CASES)
    assert [f"## `{case.name}`" for case in cases.CASES] == [line for line in PAGE.splitlines() if line[:3] == "## "]


@pytest.mark.parametrize("name", CHEAP)
def test_a_section_of_the_page_is_what_a_rerun_writes(name):
    (case,) = (case for case in cases.CASES if case.name == name)
    assert cases.section(case, cases.answer(case)) in PAGE
