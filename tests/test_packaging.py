"""Lock files are complete, a wheel works outside the checkout, links lead to files, and no file names a machine."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
LOCKS = ["runtime", "test", "torch", "lint", "docs", "build"]

# name==version, a marker perhaps, hashes; outside of a hash no colon, slash or @, so no address of any kind.
PIN = re.compile(r"[a-z0-9-]+==[\w.+!]+( ; [^:/@]+?)?( --hash=sha256:[0-9a-f]{64})+")


def lock_lines(text: str) -> list[str]:
    """Logical lines: continued lines joined, runs of blanks made one."""
    joined = text.replace("\\\n", " ")
    return [" ".join(line.split()) for line in joined.splitlines() if line.strip()]


def wrong_lines(text: str) -> list[str]:
    return [line for line in lock_lines(text) if not PIN.fullmatch(line)]


def lock(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")


def pins(name: str) -> list[Requirement]:
    return [Requirement(line.partition(" --hash")[0]) for line in lock_lines(lock(name))]


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_hashed_pins_and_nothing_else(name):
    assert lock_lines(lock(name))
    assert wrong_lines(lock(name)) == []
    assert "://" not in lock(name)


HASH = "--hash=sha256:" + 64 * "0"
SCHEME = ":" + "//"


@pytest.mark.parametrize(
    "line",
    [
        f"--index-url https{SCHEME}index.example/simple",
        f"--extra-index-url=https{SCHEME}index.example/simple",
        "-i index.example",
        "--find-links wheels",
        "-r other.txt",
        "numpy==2.0.0",
        f"numpy>=2.0.0 {HASH}",
        f"numpy @ https{SCHEME}index.example/numpy.whl {HASH}",
        f"numpy==2.0.0 {HASH} --hash=md5:0",
        f"# from https{SCHEME}index.example",
    ],
)
def test_a_planted_line_is_flagged(line):
    good = f"numpy==2.0.0 ; python_full_version < '3.12' \\\n    {HASH}\n"
    assert wrong_lines(good) == []
    assert wrong_lines(good + line + "\n") == [line]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("runtime", PROJECT["project"]["dependencies"]),
        ("test", PROJECT["project"]["dependencies"] + EXTRAS["test"] + EXTRAS["dask"]),
        ("torch", PROJECT["project"]["dependencies"] + EXTRAS["torch"]),
        ("lint", PROJECT["project"]["dependencies"] + EXTRAS["lint"]),
        ("docs", PROJECT["project"]["dependencies"] + EXTRAS["docs"]),
        ("build", PROJECT["build-system"]["requires"]),
    ],
)
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14", "3.15"])
@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_a_lock_pins_every_dependency_once_within_its_bounds(name, wanted, python, platform):
    environment = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": platform}
    here = [pin for pin in pins(name) if pin.marker is None or pin.marker.evaluate(environment)]
    versions = {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in here}
    assert len(versions) == len(here)
    for dependency in map(Requirement, wanted):
        assert dependency.specifier.contains(versions[canonicalize_name(dependency.name)]), dependency


@pytest.mark.parametrize("name", ["test", "torch", "lint", "docs"])
def test_the_other_locks_contain_the_runtime_lock(name):
    assert set(lock_lines(lock("runtime"))) <= set(lock_lines(lock(name)))


def test_packages_that_several_locks_pin_have_one_version():
    """All of them are installed into one .venv, in any order."""
    lines = {line for name in LOCKS for line in lock_lines(lock(name))}
    starts = [line.partition(" --hash")[0] for line in lines]
    names = [(start.partition("==")[0], start.partition(" ; ")[2]) for start in starts]
    assert sorted(name for name in set(names) if names.count(name) > 1) == []


def test_no_tracked_file_names_a_machine_or_a_package_index():
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    paths = [ROOT / os.fsdecode(name) for name in listed.split(b"\0") if name]
    assert {str(path): found for path in paths if path.is_file() and (found := forbidden(path.read_bytes()))} == {}


# Put together from pieces, so that this file does not contain what it looks for.
FOLDERS = "|".join(["work", "root", "home", "Users", "opt/" + "py" + "pi"])
HOSTS = [
    b"py" + b"pi.org",
    b"python" + b"hosted.org",
    b"npm" + b"js.org",
    b"deb.debian" + b".org",
    b"anaconda" + b".org",
]


def forbidden(content: bytes) -> list[bytes]:
    """Machine paths and index hosts in a file's bytes."""
    # preceded by a letter, a dot or a star it is part of a relative path or of an address
    folders = re.findall(rb"(?<![\w.*})~-])/(?:" + FOLDERS.encode() + rb")[/-][\w.-]+", content)
    return folders + [host for host in HOSTS if host in content.lower()]


@pytest.mark.parametrize(
    ("content", "clean"),
    [
        (b"see /" + b"work/main/x", False),
        (b"'/" + b"root/.cache'", False),
        (b"C=/" + b"home/someone/x", False),
        (b"https" + b"://Py" + b"PI.org/simple", False),
        (b"framework/work/x ./root/y ../home/z and/or", True),
    ],
)
def test_what_is_forbidden(content, clean):
    assert (forbidden(content) == []) is clean


PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "results/README.md"]
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")  # to a file of the project: addresses have a colon


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_between_pages_lead_to_files(page):
    """Sphinx checks only the pages in docs/; README.md and others are read where the code is."""
    links = LINK.findall(page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_readme_is_short_and_links_to_the_pages():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 120
    assert len(LINK.findall("\n".join(lines))) > 15


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == PROJECT["project"]["version"]
    assert {"cff-version", "message", "title", "authors"} <= set(citation)


def python(*arguments: str, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=os.environ | environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The project's wheel, built without network by the pinned backend."""
    out = tmp_path_factory.mktemp("wheel")
    build = "-m pip wheel --quiet --no-index --no-deps --no-build-isolation --wheel-dir".split()
    python(*build, str(out), ".", cwd=ROOT)
    (path,) = out.iterdir()
    return path


@pytest.mark.slow
def test_the_wheel_holds_the_package_with_its_data(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"harness", f"gradient_harness-{PROJECT['project']['version']}.dist-info"}
    assert {"harness/datasets/digits.csv.gz", "harness/datasets/README.md"} <= set(names)
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "harness").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == modules


IMPORT_ALL = """
import importlib, pathlib, pkgutil, sys, harness
assert pathlib.Path(harness.__file__).is_relative_to(sys.argv[1]), harness.__file__
for module in pkgutil.walk_packages(harness.__path__, "harness."):
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:  # of what is installed for `harness probe` only
        if error.name != "torch" or ".probe." not in module.name:
            raise
"""


@pytest.mark.slow
def test_the_wheel_works_outside_of_the_checkout(wheel, tmp_path):
    target, elsewhere = tmp_path / "target", tmp_path / "elsewhere"
    elsewhere.mkdir()
    install = "-m pip install --quiet --no-index --no-deps --target".split()
    python(*install, str(target), str(wheel), cwd=elsewhere)
    path = {"PYTHONPATH": str(target)}  # comes before the editable install of the checkout
    python("-c", IMPORT_ALL, str(target), cwd=elsewhere, **path)
    assert "sweep" in python("-m", "harness", "--help", cwd=elsewhere, **path)
