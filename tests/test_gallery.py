"""The documentation's gallery: what it says is in the results, and where there are none it says so."""

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_spec = importlib.util.spec_from_file_location("gallery", ROOT / "docs" / "gallery.py")
gallery = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(gallery)


def write(folder: Path, experiment: str, answer: str) -> None:
    """What the gallery reads of a results folder, with two figures of which the config names the second first."""
    (folder / "figures").mkdir(parents=True)
    (folder / "config.yaml").write_text(f"experiment: {experiment}\nfigures: [lost, second, first]\n")
    for name in ("first", "second"):
        (folder / "figures" / f"{name}.png").write_bytes(name.encode())
    case = {"where": "", "grade": "holds", "estimate": 1, "low": 1, "high": 1, "at_least": 0, "at_most": "inf"}
    claim = dict.fromkeys(("name", "statistic", "interval"), "x") | {"sentence": "It holds.", "grade": "holds"}
    claim["cases"] = [case | {"draws": 9, "note": ""}]
    (folder / "claims.json").write_text(json.dumps({"question": "?", "answer": answer, "claims": [claim]}))


@pytest.fixture
def pages(tmp_path):
    """A function that writes the gallery of two experiments, one of which has a sweep of another name."""
    (tmp_path / "experiments").mkdir()
    for name in ("alpha", "beta"):
        (tmp_path / "experiments" / f"{name}.py").write_text(f'SENTENCE = "{name} is so."\n')

    def made() -> str:
        return gallery.gallery(tmp_path / "experiments", tmp_path / "results", tmp_path / "generated")

    return tmp_path, made


def test_without_results_the_page_says_so(pages):
    _, made = pages
    assert made().count(gallery.NONE_YET) == 2


def test_each_experiment_has_its_answer_figure_and_verdicts(pages):
    folder, made = pages
    write(folder / "results/verify/ci/aa", "alpha", "The other sweep.")
    write(folder / "results/verify/ci/alpha", "alpha", "Five decades.")
    alpha, beta = made().split("## beta")
    assert alpha.index("alpha is so.") < alpha.index("Five decades.") < alpha.index("The other sweep.")
    assert "`alpha`: 1 of 1 claims hold." in alpha and "- **holds**: It holds." in alpha
    assert "](generated/gallery/alpha-second.png)" in alpha and "first" not in alpha
    assert (folder / "generated/gallery/alpha-second.png").read_bytes() == b"second"
    assert gallery.NONE_YET in beta and gallery.NONE_YET not in alpha


def test_full_results_stand_before_smaller_ones_and_old_pictures_go(pages):
    folder, made = pages
    write(folder / "results/alpha", "alpha", "Of a sweep.")
    write(folder / "results/verify/ci/old", "alpha", "Of CI.")
    assert "Of CI." in made() and "Of a sweep." not in made()
    write(folder / "results/verify/full/alpha", "alpha", "In full.")
    text = made()
    assert "In full." in text and "Of CI." not in text
    assert [path.name for path in (folder / "generated/gallery").iterdir()] == ["alpha-second.png"]


def test_a_figure_of_another_page_is_that_of_the_best_results(pages):
    folder, made = pages
    write(folder / "results/verify/ci/alpha", "alpha", "Of CI.")
    made()
    generated = folder / "generated"
    assert gallery.figure(folder / "results", "alpha", "lost", generated) == gallery.NONE_YET
    assert "](generated/gallery/alpha-first.png)" in gallery.figure(folder / "results", "alpha", "first", generated)
    assert (generated / "gallery/alpha-first.png").read_bytes() == b"first"
