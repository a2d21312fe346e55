"""`harness new NAME`: a commented config and a question's file with one claim and one figure, ready to sweep."""

from pathlib import Path

from harness.base.errors import ConfigError
from harness.base.messages import shown

CONFIG = """\
# {title}. Run it with: harness sweep configs/{name}.yaml
name: {name}                    # results go to results/{name}
network:                        # every combination of these values is a network
  activation: [relu, tanh]      # `harness list` has all of them
  init: [he_normal, xavier_normal]
  depth: [4, 16, 64]            # or a range, {{from: 4, to: 64, steps: 3, spacing: log}}
  width: 64
data: {{inputs: gaussian, batch: 16}}
cost: linear                    # its gradient at the output does not depend on the weights
replicates: 16                  # independent draws of every network; an interval of a median takes 15
seed: 0
experiment: {name}              # the sentence, claims and figures in experiments/{name}.py
"""

QUESTION = '''\
"""{sentence}"""

from harness.study.claims import Case, Claim, median, near
from harness.study.selection import deepest, draw_groups

SENTENCE = "{sentence}"
FIGURES = ("attenuation_against_depth",)  # `harness list` has all of them


def slopes(results):
    """A case for each activation: the slopes of its draws at the largest depth, which lie within 0.1 of 0."""
    for words, _, rows in draw_groups(deepest(results.networks), "activation"):
        yield Case(words, rows["slope_per_layer"], **near(0, 0.1))


CLAIMS = (
    Claim(
        "he_relu_holds",
        SENTENCE,
        "decades a layer of the deepest networks",
        median,
        slopes,
        scope=("activation == 'relu'", "init == 'he_normal'"),
    ),
)
'''


def write(name: str, folder: Path) -> list[Path]:
    """Write configs/<name>.yaml and experiments/<name>.py under a folder. Returns both paths.

    Raises ConfigError for a name that is no Python name, and where one of the files exists.
    """
    if not name.isascii() or not name.isidentifier():
        raise ConfigError(f"{shown(name)} is no name of a question; use letters, digits and _, a letter first")
    sentence = "In a ReLU network with He's initialisation the gradient neither vanishes nor explodes with depth."
    texts = {
        folder / "configs" / f"{name}.yaml": CONFIG.format(name=name, title=name.replace("_", " ").capitalize()),
        folder / "experiments" / f"{name}.py": QUESTION.format(sentence=sentence),
    }
    for path in texts:
        if path.exists():
            raise ConfigError(f"{path}: exists; choose another name, or move it away")
    for path, text in texts.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(texts)
