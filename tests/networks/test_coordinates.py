"""Each coordinate is declared once: one more field reaches the config, its schema, the tables, the figures and the show
command, makes other networks, and changes no key of a network that has its default."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from command import environment
from nets import CHOICES, spec

from harness.networks.coordinates import COORDINATES, NAMES, ON_LAYERS, PRODUCT_ORDER, REQUIRED

ROOT = Path(__file__).parents[2]
DECLARED_LAST = '    ] = "activation"\n'  # the end of the field `output`
TEMPERATURE = """    temperature: Annotated[
        float,
        Coordinate("Temperature of the activation", Number("a temperature", above=0), note="; default 1"),
    ] = 1.0
"""
SWEEP = """
name: hot
network: {activation: [relu, tanh], init: he_normal, depth: [2, 4], width: 8, temperature: [1, 2.5]}
data: {batch: 4}
replicates: 2
figures: [gradient_profile]
"""
PANELS = """
import pandas as pd
from harness.figures.kit.settings import choose_settings, with_settings
networks = pd.read_parquet("r/networks")
for frame in (networks, networks[networks["temperature"] == 2.5], networks[networks["temperature"] == 1]):
    shown = choose_settings(*with_settings(frame), 6)
    print(list(shown.labels.values()), shown.shared)
"""


@pytest.fixture(scope="module")
def scratch(tmp_path_factory) -> Path:
    """A copy of the package in which one more coordinate is declared, and nothing else is changed."""
    folder = tmp_path_factory.mktemp("scratch")
    shutil.copytree(ROOT / "harness", folder / "harness", ignore=shutil.ignore_patterns("__pycache__"))
    declared = folder / "harness/networks/coordinates.py"
    text = declared.read_text(encoding="utf-8")
    assert text.count(DECLARED_LAST) == 1
    declared.write_text(text.replace(DECLARED_LAST, DECLARED_LAST + TEMPERATURE), encoding="utf-8")
    (folder / "hot.yaml").write_text(SWEEP, encoding="utf-8")
    ran(folder, "-m", "harness", "sweep", "hot.yaml", "--out", "r", "--workers", "1")
    return folder


def ran(folder: Path, *arguments: str) -> str:
    """What Python prints in the scratch folder."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment(PYTHONPATH="."), text=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_one_more_coordinate_is_a_key_of_the_config_and_of_its_schema(scratch):
    axes = json.loads(ran(scratch, "-m", "harness", "schema"))["$defs"]["NetworkAxes"]["properties"]
    assert axes["temperature"]["default"] == 1
    assert axes["temperature"]["description"] == "Temperature of the activation; default 1."
    assert "temperature: [1.0, 2.5]" in (scratch / "r/config.yaml").read_text(encoding="utf-8")


@pytest.mark.slow
def test_one_more_coordinate_is_a_column_of_both_tables(scratch):
    networks, layers = (pd.read_parquet(scratch / "r" / table) for table in ("networks", "layers"))
    assert len(networks) == 2 * 2 * 2 * 2
    assert set(networks["temperature"]) == set(layers["temperature"]) == {1.0, 2.5}
    named = layers.merge(networks, on="network", suffixes=("", "_of_network"))
    assert (named["temperature"] == named["temperature_of_network"]).all()


@pytest.mark.slow
def test_networks_that_differ_in_one_more_coordinate_are_different_and_the_default_changes_no_key(scratch):
    networks = pd.read_parquet(scratch / "r/networks")
    assert networks["network"].is_unique
    known = {
        spec(name, depth=depth, width=8).network(i) for name in ("relu", "tanh") for depth in (2, 4) for i in (0, 1)
    }
    assert set(networks.loc[networks["temperature"] == 1, "network"].astype(str)) == known


@pytest.mark.slow
def test_one_more_coordinate_makes_panels_and_is_shown(scratch):
    assert ran(scratch, "-c", PANELS).splitlines() == [
        "['temperature 1', 'temperature 2.5'] init he_normal, width 8",
        "['he_normal'] init he_normal, width 8, temperature 2.5",
        "['he_normal'] init he_normal, width 8",
    ]
    assert (scratch / "r/figures/gradient_profile.png").is_file()
    text = ran(scratch, "-m", "harness", "show", "r", "--where", "temperature == 2.5 and activation == 'relu'")
    assert "relu" in text and "tanh" not in text
    assert "temperature" in ran(scratch, "-m", "harness", "show", "r")


@pytest.mark.slow
def test_one_more_coordinate_is_named_where_two_cases_share_a_network(scratch):
    cases = ("--set", "cases=[{temperature: [1, 2]}, {temperature: 2}]", "--dry-run")
    done = subprocess.run(
        [sys.executable, "-m", "harness", "sweep", "hot.yaml", *cases],
        cwd=scratch,
        env=environment(PYTHONPATH="."),
        text=True,
        capture_output=True,
    )
    assert done.returncode == 2
    assert "repeats a network of cases[0]: relu, he_normal, weight_scale 1, depth 2, width 8, temperature 2" in (
        " ".join(done.stderr.split())
    )


# The declared coordinates -------------------------------------------------------------------------------------------


def test_keys_of_networks_are_what_they_were():
    """Results that were computed before have these keys, and so have other people's."""
    assert spec().key == "c4f593334cf3"
    assert spec("tanh", "orthogonal", 2.0, None, 8, 16, 4, 3, "linear").key == "ca7d4ec8db87"
    assert len({spec(activation).key for activation in CHOICES}) == len(CHOICES)


def test_lists_derive_from_the_declared_order():
    assert [*PRODUCT_ORDER[:-1]] == [name for name in NAMES if name != "depth"]
    assert PRODUCT_ORDER[-1] == "depth"  # a deeper network is its shallower ones' continuation
    assert [name for name in NAMES if name in ON_LAYERS] == [*ON_LAYERS]
    assert {*REQUIRED} == {"activation", "init", "depth"}
    assert all(coordinate.example for coordinate in COORDINATES if coordinate.required)


def test_what_networks_share_is_said_by_their_keys():
    one = spec("relu", "he_normal", depth=4)
    assert one.grouping_key("draws") == (("normal", 0.0), False, 6, 6, None, False)
    assert one.grouping_key("draws") == spec("tanh", "xavier_normal", 2.0, depth=9).grouping_key("draws")
    assert one.grouping_key("lane") == spec(depth=9, output_width=2, output="linear").grouping_key("lane")
    assert one.grouping_key("lane") != spec(weight_scale=2.0).grouping_key("lane")
    assert one.grouping_key("output") == spec("tanh", weight_scale=2.0).grouping_key("output")
