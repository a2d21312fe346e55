"""The worked examples of CONTRIBUTING.md, "Adding to it", carried out in a copy of the project.

Guards against a page that no longer describes the code, and against tests that name the entries of a table: each kind
of addition must work at the one place that the page gives, and pass the tests that every entry passes.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COPIED = ("harness", "tests", "configs", "experiments", "results/reference", "pyproject.toml", "CONTRIBUTING.md")
STEP = re.compile(
    r"^In `(?P<file>[^`]+)`, (?P<side>before|after) the line `(?P<line>[^`]+)`:\n\n"
    r"```(?:python|text)\n(?P<text>.*?)^```$"
    r"|^In `(?P<in>[^`]+)`, replace `(?P<old>[^`]+)` with `(?P<new>[^`]+)`\.$"
    r"|^Write `(?P<to>[^`]+)`:\n\n```\w+\n(?P<all>.*?)^```$"
    r"|^```console\n(?P<commands>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass
class Example:
    """A section of the page: edits of a project, and the commands that show the addition at work."""

    edits: list[re.Match] = field(default_factory=list)
    commands: list[list[str]] = field(default_factory=list)


def examples(page: str) -> dict[str, Example]:
    """The examples by the title of their section."""
    found = {}
    for section in page.split("\n## Adding to it\n")[1].split("\n## ")[0].split("\n### ")[1:]:
        title, text = section.split("\n", 1)
        found[title] = Example()
        steps = [*STEP.finditer(text)]
        for step in steps:
            if step["commands"]:
                found[title].commands += map(shlex.split, step["commands"].splitlines())
            else:
                found[title].edits.append(step)
        fenced = sum("```" in step[0] for step in steps)
        assert text.count("```") == 2 * fenced, f"{title}: a block that does not say where it goes"
    return found


def carry_out(edit: re.Match, project: Path) -> None:
    if edit["to"]:
        assert not (project / edit["to"]).exists(), edit["to"]
        (project / edit["to"]).write_text(edit["all"], encoding="utf-8")
        return
    path = project / (edit["file"] or edit["in"])
    text = path.read_text(encoding="utf-8")
    if edit["in"]:
        assert text.count(edit["old"]) == 1, edit[0]
        path.write_text(text.replace(edit["old"], edit["new"]), encoding="utf-8")
        return
    lines = text.splitlines(keepends=True)
    (place,) = (i for i, line in enumerate(lines) if line.strip().startswith(edit["line"]))
    place += edit["side"] == "after"
    apart = "" if edit["text"].startswith(" ") else "\n\n"  # an entry of a list, or a function
    path.write_text("".join([*lines[:place], edit["text"], apart, *lines[place:]]), encoding="utf-8")


EXAMPLES = examples((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project with all examples carried out."""
    folder = tmp_path_factory.mktemp("project")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder / name)
    for example in EXAMPLES.values():
        for edit in example.edits:
            carry_out(edit, folder)
    return folder


def run(project: Path, *words: str) -> str:
    program = [sys.executable, *(["-m", "harness"] if words[0] == "harness" else [])]
    done = subprocess.run(
        [*program, *words[1:]],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(project), "OPENBLAS_NUM_THREADS": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("kind", EXAMPLES)
def test_an_example_works(project, kind):
    for words in EXAMPLES[kind].commands:
        output = run(project, *words)
        if "pytest" in words:
            assert re.search(r"\d+ passed", output), output


@pytest.mark.slow
def test_the_examples_are_formatted_as_the_code_is(project):
    shutil.which("ruff") or pytest.skip("ruff is not installed")
    for verb in (["format", "--check"], ["check"]):
        subprocess.run(["ruff", *verb, "harness", "experiments"], cwd=project, check=True, capture_output=True)


def test_every_kind_has_edits_and_commands():
    for kind, example in EXAMPLES.items():
        assert example.edits, kind
        assert any(words[0] == "harness" for words in example.commands), kind
