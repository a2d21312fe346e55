"""What a shell completes, asked as bash, zsh and fish ask."""

import subprocess
import sys
from pathlib import Path

import pytest
from command import ROOT, environment

from harness import config
from harness.figures import FIGURES
from harness.interface.checkout import completion
from harness.networks.activations import ACTIVATIONS
from harness.networks.coordinates import NAMES
from harness.networks.inits import INITS
from harness.results.folder import CONFIG


def completed(line: str, cwd: Path, shell: str = "bash") -> list[str]:
    """What a shell is told when Tab is pressed at the end of a line."""
    asked = {"_HARNESS_COMPLETE": f"complete_{shell}", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    asked |= {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    command = [sys.executable, "-c", "import sys; sys.argv = ['harness']; import harness.__main__ as m; m.main()"]
    done = subprocess.run(command, cwd=cwd, env=environment(**asked), text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_every_key_of_a_config_is_completed_and_no_other():
    keys = [key.removesuffix("=") for key, _ in completion.settings("")]
    assert {f"network.{name}" for name in NAMES} | {"cost", "training.split.train", "data.batch"} <= set(keys)
    given = config.read(ROOT / "configs" / "deaths.yaml").model_dump()
    for key in keys:
        if key != "cases":
            place = given
            for part in key.split("."):
                assert part in place, key
                place = place[part]


@pytest.mark.parametrize(("key", "table"), [("network.activation", ACTIVATIONS), ("network.init", INITS)])
def test_names_come_from_their_tables(key, table):
    values = [value.partition("=")[2] for value in completion.settings(f"{key}=")]
    assert set(table) <= set(values) and values == completion.values_of(key)("")
    assert completion.values_of(key)("le") == [value for value in values if value.startswith("le")]


def test_figures_and_experiments_are_values_too():
    assert completion.settings("figures=gradient_") == ["figures=gradient_profile"]
    assert set(FIGURES) <= {value.partition("=")[2] for value in completion.settings("figures=")}


def test_a_lone_key_with_names_offers_them_at_once():
    assert completion.settings("network.act") == completion.settings("network.activation=")
    assert [key for key, _ in completion.settings("network.widths")] == ["network.widths="]


def test_an_unknown_key_has_no_value():
    assert completion.settings("network.nothing=") == [] and completion.settings("nothing") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_told_keys(tmp_path, shell):
    keys = "\n".join(completed("harness sweep one.yaml --set network.wid", tmp_path, shell))
    assert "network.width=" in keys and "network.widths=" in keys and "network.depth" not in keys


def test_files_and_folders_that_there_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert (completion.configs(""), completion.results(""), completion.experiments("")) == ([], [], [])
    for folder in ("configs/more", "results/depth", "results/empty", "experiments"):
        (tmp_path / folder).mkdir(parents=True)
    for path in ("one.yaml", "one.txt", "configs/two.yaml", "configs/more/three.yml", f"results/depth/{CONFIG}"):
        (tmp_path / path).touch()
    (tmp_path / "experiments/depth.py").touch()
    (tmp_path / "experiments/__init__.py").touch()
    assert completion.configs("") == ["configs/", "experiments/", "one.yaml", "results/", "configs/two.yaml"]
    assert completion.configs("configs/") == ["configs/more/", "configs/two.yaml"]
    assert completion.configs("configs/more/th") == ["configs/more/three.yml"]
    assert completion.results("") == completion.results("results/d") == ["results/depth"]
    assert completion.experiments("d") == ["depth"]
