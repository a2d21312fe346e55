"""`harness check`: every built-in part passes, and each kind of error of a part of the user's own is seen and named."""

from dataclasses import replace

import pytest
from command import forked

from harness.engine.measures import log10_grad_weights, measures, slope_mean
from harness.engine.own.parts import Own
from harness.engine.sums import BackwardSums
from harness.networks.activations import ACTIVATIONS
from harness.networks.inits import INITS, Init
from harness.study.own.check import built_in, checks

TANH, RELU, HARD = (ACTIVATIONS[name]() for name in ("tanh", "relu", "hard_tanh"))


def failures(own: Own) -> dict[str, str]:
    with own.in_force():
        return {check.what: check.found for check in checks(own) if not check.good}


@pytest.mark.slow
def test_all_built_in_parts_pass():
    found = list(checks(built_in()))
    assert [check.line for check in found if not check.good] == []
    own = built_in()
    assert {check.part.split()[1] for check in found} == {*own.activations, *own.inits, *own.measures}


@pytest.mark.parametrize(
    ("activation", "what", "words"),
    [
        (
            replace(TANH, slope=lambda z: 1.001 * TANH.slope(z)),
            "the slope is the derivative",
            "differs by 1.0e-03 at z",
        ),
        (replace(RELU, slope=lambda z: z > 1), "the slope is the derivative", "differs by 1.0e+00 at z"),
        (replace(RELU, kinks=()), "the slope is the derivative", "differs by 5.0e-01 at z = 0, where it is 1"),
        (replace(HARD, kinks=()), "theory's length map and chi_1", "kink"),
        (replace(TANH, slope_bound=0.9), "what it declares", "slope_bound is 0.9, and |slope| "),
        (replace(TANH, homogeneous=True), "what it declares", "homogeneous, and phi(3z) is not 3 phi(z)"),
        (replace(TANH, silent=lambda z: z < -3), "what it declares", "and the slope is not 0 there"),
        (replace(TANH, value=lambda z: 1 / 0), "the slope is the derivative", "ZeroDivisionError: division by zero"),
    ],
    ids=["slope", "elsewhere", "kink", "kinks", "bound", "homogeneous", "silent", "error"],
)
def test_an_activation_with_an_error_fails(activation, what, words):
    found = failures(Own(activations={"mine": lambda: replace(activation, name="mine")}))
    assert words in found[what]


def test_theory_is_compared_with_the_network(monkeypatch):
    """A second moment that is 5 % off is seen."""
    from harness.study.own import check

    right = check.second_moment
    monkeypatch.setattr(check, "second_moment", lambda activation, q: 1.25 * right(activation, q))
    assert (
        "standard errors"
        in failures(Own(activations={"mine": lambda: replace(TANH, name="mine")}))["theory's length map and chi_1"]
    )


class Lying(Init):
    """An initialisation that declares a tenth more than it draws."""

    def sigma_w(self, fan_in: int, fan_out: int) -> float:
        return 1.1 * super().sigma_w(fan_in, fan_out)


class Shifted(Init):
    """One whose weights have a mean that it does not declare."""

    def mean_w(self, fan_in: int, fan_out: int) -> float:
        return 0.0


@pytest.mark.parametrize(
    ("init", "holds"),
    [
        (INITS["pytorch_default"](), True),
        (Lying("mine", "normal", lambda fan_in, fan_out: 0.3, ""), False),
        (Shifted("mine", "normal", lambda fan_in, fan_out: 0.3, "", shift=0.5), False),
        (Init("mine", "normal", lambda fan_in, fan_out: 0.3, "", shift=0.5), True),
    ],
)
def test_an_init_that_does_not_draw_what_it_declares_fails(init, holds):
    found = failures(Own(inits={"mine": lambda: replace(init, name="mine")}))
    assert (not found) == holds


@measures("log10", "Without its gains")
def unscaled(backward: BackwardSums):
    return log10_grad_weights(backward)


@measures("log10", "With them", scales_as="log10_grad_weights")
def scaled(backward: BackwardSums):
    return log10_grad_weights(backward)


def test_a_measure_that_lacks_its_gains_fails():
    found = failures(Own(measures={"unscaled": unscaled, "scaled": scaled, "slope_again": replace(slope_mean)}))
    assert list(found) == ["a sweep has the value of the drawn network"]
    assert found.popitem()[1].endswith("if a factor on the weights changes it, say as which measure: scales_as=…")


FILE = """
import numpy as np
from harness.networks.activations import Activation

SENTENCE = "Steep is steeper."
FIGURES = ()


def steep() -> Activation:
    return Activation("steep", lambda z: np.tanh(2 * z), lambda z: 2 - 2 * np.tanh(2 * z) ** 2, 2.0, "tanh 2z")


ACTIVATIONS = (steep,)
"""


@pytest.mark.slow
def test_the_command_says_a_line_each_and_its_exit_code_tells(tmp_path):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments/mine.py").write_text(FILE)
    (tmp_path / "experiments/none.py").write_text('SENTENCE = "None."\nFIGURES = ()\n')
    said = forked("check", "experiments/mine.py", cwd=tmp_path)
    lines = said.stdout.splitlines()
    assert lines[0] == f"{tmp_path}/experiments/mine.py: Steep is steeper."
    assert [line[:24] for line in lines[1:]] == ["holds  activation steep:"] * 3 and said.returncode == 0
    (tmp_path / "experiments/mine.py").write_text(FILE.replace("2 - 2 *", "2 - 1.9 *"))
    said = forked("check", "experiments/mine.py", cwd=tmp_path)
    assert said.returncode == 1
    assert "FAILS  activation steep: the slope is the derivative: differs by 1.0e-01" in said.stdout
    assert "there is nothing to check" in forked("check", "experiments/none.py", cwd=tmp_path).stdout
    (tmp_path / "mine.py").write_text(FILE)
    said = forked("check", "mine.py", cwd=tmp_path)
    assert (said.returncode, said.stderr) == (
        2,
        "mine.py: not a file of experiments/; give for example experiments/mine.py\n",
    )
    said = forked("check", tmp_path / "experiments/mine.py", cwd=tmp_path.parent)
    assert said.returncode == 2 and said.stderr.endswith(f"and is not run; to run it, cd {tmp_path}\n")
