"""Texts of configs, data files, results and questions reach the terminal as text, and it obeys none of them.

Escapes that would colour, move, retitle or clear, a carriage return and a backspace that would write over what stands
there, signs that turn the reading direction, and markup that rich would read. Figures: test_figures_drawn.py.
"""

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from command import commands

import harness
from harness.base.text_table import Table
from harness.config import digest
from harness.interface.terminal import print_table, say, say_error
from harness.results import parts
from harness.results.environment import made_with
from harness.study.claims import JudgedCase, Verdict
from harness.study.selection import NOT_APPLICABLE
from harness.study.verdicts import table, to_json

EVIL = "\x1b[31mred\x1b]0;title\x07\r\b\x9b2J\u202e[bold]b[/bold]:smile:$\\frac{1}{0}$"
HARMLESS = "[bold]b[/bold]:smile:$\\frac{1}{0}$"
SWEEP = {
    "name": "small",
    "network": {"activation": ["relu", "sigmoid"], "init": "he_normal", "depth": [1, 3], "width": 8},
    "data": {"batch": 4},
    "replicates": 2,
    "figures": [],
}


def is_text(said: str) -> bool:
    return all(line.isprintable() for line in said.split("\n"))


def test_the_text_is_as_bad_as_it_is_said_to_be():
    assert not is_text(EVIL) and is_text(HARMLESS) and len([c for c in EVIL if not c.isprintable()]) == 7


def test_whatever_is_said_is_text(capsys):
    say(f"{EVIL}\n{EVIL}")
    say_error(EVIL)
    print_table(Table(EVIL, (EVIL, "b"), [(EVIL, f"{EVIL}\nb")], f"{EVIL}\n{EVIL}"))
    out, err = capsys.readouterr()
    assert is_text(out) and is_text(err)
    assert out.count("red") == 8 and out.count(HARMLESS) == 8 and err.count(HARMLESS) == 1


# Configs and data files: what is refused is quoted ------------------------------------------------------------------

PLACES = [
    ("name",),
    ("experiment",),
    ("figures",),
    ("figures", 0),
    ("seed",),
    ("cost",),
    ("dtype",),
    ("replicates",),
    ("record_layers",),
    ("data", "inputs"),
    ("data", "targets"),
    ("data", "batch"),
    ("data", "inputs_sha256"),
    ("network", "activation"),
    ("network", "activation", 0),
    ("network", "init"),
    ("network", "depth"),
    ("network", "width"),
    ("network", "weight_scale"),
    ("network", "output"),
    ("cases",),
    ("thresholds", "decades"),
]


def put(config: dict, place: tuple, value: object) -> dict:
    """The config with a value at one place."""
    key, *rest = place
    if isinstance(key, int):
        return [value]
    return config | {
        key: put(config.get(key) if isinstance(config.get(key), dict) else {}, rest, value) if rest else value
    }


def test_whatever_a_config_says_is_shown_as_text(tmp_path):
    """The same text as a value in every place, as a key, as the name of an activation with parameters, and by --set."""
    written = [put(SWEEP, place, EVIL) for place in PLACES]
    written += [put(SWEEP, (*place[:-1], EVIL), 1) for place in PLACES if isinstance(place[-1], str)]
    written += [put(SWEEP, ("network", "activation"), {"name": EVIL, EVIL: EVIL}), {EVIL: EVIL}]
    asked = []
    for n, text in enumerate(map(json.dumps, written)):
        (tmp_path / f"{n}.yaml").write_text(text)
        asked.append(("sweep", f"{n}.yaml", "--dry-run"))
    (tmp_path / "tag.yaml").write_bytes(f"name: !{EVIL} x\n".encode())
    (tmp_path / "raw.yaml").write_bytes(f"name: {EVIL}\n".encode())
    (tmp_path / "good.yaml").write_text(json.dumps(SWEEP))
    asked += [
        ("sweep", "tag.yaml"),
        ("sweep", "raw.yaml"),
        ("sweep", f"{EVIL}.yaml"),
        ("sweep", "good.yaml", "--set", f"name={EVIL}"),
        ("sweep", "good.yaml", "--set", f"{EVIL}=1"),
        ("sweep", "good.yaml", "--out", f"no/{EVIL}"),
        ("show", EVIL),
        ("predict", "--activation", EVIL, "--init", EVIL, "--width", EVIL, "--depth", EVIL),
    ]
    for command, (code, out, err) in zip(asked, commands(*asked, cwd=tmp_path), strict=True):
        assert (code, out) == (2, "") and err and is_text(err), command


DATA = {
    "ragged row": ("a.csv", f"a,b\n1,2\n{EVIL},2,3\n".replace("\r", "")),
    "cell": ("a.csv", f"a,b\n1,2\n{EVIL},2\n".replace("\r", "")),
    "column": ("a.csv", f"{EVIL},b\nx,2\n".replace("\r", "")),
    "torn": ("a.npy", f"\x93NUMPY{EVIL}"),
    "header": ("a.npy", f"\x93NUMPY\x01\x00\x76\x00{{'descr': '{EVIL}', 'shape': {EVIL}".ljust(200)),
}


def test_whatever_a_data_file_holds_is_shown_as_text(tmp_path):
    for name, (path, content) in DATA.items():
        (tmp_path / name).mkdir()
        coding = "utf-8" if path.endswith("csv") else "latin-1"
        (tmp_path / name / path).write_bytes(content.encode(coding, errors="replace"))
        (tmp_path / name / "c.yaml").write_text(json.dumps(SWEEP | {"data": {"inputs": path, "batch": 2}}))
    done = commands(*(("sweep", f"{name}/c.yaml") for name in DATA), cwd=tmp_path)
    for name, (code, out, err) in zip(DATA, done, strict=True):
        assert (code, out) == (2, "") and err.startswith(f"{name}/c.yaml:1:") and is_text(err), name


# Results that a stranger made, and questions ------------------------------------------------------------------------


def strange(folder: Path) -> None:
    """Results with right checksums, in which every text is EVIL: labels, statuses, claims, failures."""
    results = harness.sweep(SWEEP, out=folder)
    tables = [
        frame.assign(
            **{name: EVIL for name in frame if not pd.api.types.is_numeric_dtype(frame[name]) and name != "network"}
        )
        for frame in (results.layers, results.networks)
    ]
    for part in (*(folder / "layers").iterdir(), *(folder / "networks").iterdir()):
        part.unlink()
    parts.commit(
        folder,
        "all-0000000-0000002",
        *(pa.Table.from_pandas(frame, preserve_index=False) for frame in tables),
        made_with(),
        digest(results.sweep),
    )
    case = JudgedCase(EVIL, "fails", 0.5, 0.4, 0.6, 0.0, 0.1, 8, EVIL)
    verdict = Verdict(EVIL, EVIL, EVIL, EVIL, "fails", (case,))
    (folder / "claims.json").write_text(json.dumps({"claims": to_json([verdict])}))
    manifest = results.manifest | {"networks": 99, "failed": [{"block": EVIL, "why": EVIL}]}
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.slow
def test_whatever_results_and_questions_say_is_shown_as_text(tmp_path):
    strange(tmp_path / "r")
    harness.sweep(SWEEP, out=tmp_path / EVIL.replace("/", ""))
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / f"{EVIL.replace('/', '')}.py").write_text(f"SENTENCE = {json.dumps(EVIL)}")
    plain = EVIL.replace("/", "")
    asked = [
        ("show", "r"),
        ("show", plain),
        ("list",),
        ("diff", "r", plain),
        ("diff", plain, "r"),
        ("plot", plain),
        ("show", "r", "--where", EVIL),
        ("show", "r", "--where", f"activation == {EVIL!r}"),
    ]
    shown, other, listed, *rest = commands(*asked, cwd=tmp_path)
    for (code, out, err), command in zip((shown, other, listed, *rest), asked, strict=True):
        assert is_text(out) and is_text(err) and "Traceback" not in err and code in (0, 2, 3), (command, out, err)
    assert shown[0] == 0 and shown[1].count("red") > 8 and "unfinished: 8 of 99" in shown[2]
    assert f"block �[31mred�]0;title����2J�{HARMLESS} failed: �[31mred" in shown[2]
    assert listed[0] == 0 and listed[1].count(HARMLESS) == 1
    assert [code for code, *_ in rest] == [3, 3, 0, 2, 0]


# Narrow terminals ---------------------------------------------------------------------------------------------------


def test_a_table_too_wide_for_its_words_is_a_list_with_a_line_for_each_cell(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "")
    monkeypatch.setattr("rich.console.Console.is_terminal", True)
    monkeypatch.setenv("COLUMNS", "80")
    words = [f"{'x' * 12}{n}" for n in range(8)]
    print_table(Table("wide", words, [words, words]))
    print_table(Table("narrow", ("a", "b"), [("1", "two words")]))
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert sum(line.split() == [word, word] for line in lines for word in words) == 16
    assert ["a", "b"] in [line.split() for line in lines]


def test_a_claim_that_holds_takes_one_line_and_those_without_networks_share_one():
    def verdict(name, grade, note=""):
        case = JudgedCase("", grade, 0.5, 0.4, 0.6, 0.0, 1.0, 8, note)
        return Verdict(name, "A sentence.", "a statistic", "mean, t interval", grade, (case,))

    written = table(
        "Claims",
        [
            verdict("a", "holds"),
            verdict("b", "undecided", f"{NOT_APPLICABLE}it speaks of others"),
            verdict("c", "fails"),
            verdict("d", "undecided", f"{NOT_APPLICABLE}it speaks of others"),
        ],
    )
    assert written.rows == [
        ("fails", "c: A sentence. a statistic: mean 0.5, in 0.4 to 0.6 (t interval); bound 0 to 1; 8 values"),
        ("holds", "a: 0.5, bound 0 to 1"),
        ("not applicable", "b, d"),
    ]
    assert written.note == "1 of 2 claims hold; 1 fail; 2 not applicable; error rate of each: 0.0001."
