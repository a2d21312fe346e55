"""The positional YAML 1.2 reader: values, places, and everything it does not read."""

import math
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.config.yaml_positions import MAX_BYTES, MAX_DEPTH, MAX_NODES, read, scalar, write, write_inline


@pytest.mark.parametrize(
    "text, value",
    [
        ("1e-2", 0.01),
        ("1.5", 1.5),
        ("1.", 1.0),
        (".5", 0.5),
        ("-.5e+3", -500.0),
        ("1E3", 1000.0),
        ("+7", 7),
        ("012", 12),
        ("0o14", 12),
        ("0x1F", 31),
        ("-0", 0),
        ("1_000", "1_000"),
        ("0b1", "0b1"),
        ("1:30", "1:30"),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("TRUE", True),
        ("tRue", "tRue"),
        ("null", None),
        ("~", None),
        ("", None),
        ("Null", None),
        ("none", "none"),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("+.Inf", math.inf),
        ("inf", "inf"),
        ("1e999", math.inf),
        ("e5", "e5"),
        ("2024-01-01", "2024-01-01"),
        ("١٢", "١٢"),
        ("=", "="),
        ("<<", "<<"),
        ("9" * 200, 1e200),
    ],
)
def test_plain_scalars_follow_the_core_schema(text, value):
    assert repr(scalar(text)) == repr(value)


def test_nan_is_a_number():
    assert math.isnan(scalar(".nan"))


def test_positions_of_keys_and_values_in_block_and_flow():
    document = read(b"name: t\nnetwork:\n  depth: [1,\n    {from: 2}]\n'quo ted':\n- 'x'\n")
    assert document.data == {"name": "t", "network": {"depth": [1, {"from": 2}]}, "quo ted": ["x"]}
    assert document.values == {
        (): (1, 1),
        ("name",): (1, 7),
        ("network",): (3, 3),
        ("network", "depth"): (3, 10),
        ("network", "depth", 0): (3, 11),
        ("network", "depth", 1): (4, 5),
        ("network", "depth", 1, "from"): (4, 12),
        ("quo ted",): (6, 1),
        ("quo ted", 0): (6, 3),
    }
    assert document.keys == {
        ("name",): (1, 1),
        ("network",): (2, 1),
        ("network", "depth"): (3, 3),
        ("network", "depth", 1, "from"): (4, 6),
        ("quo ted",): (5, 1),
    }


def test_a_quoted_scalar_is_text():
    assert read(b"""{a: '1', b: "true", c: 'null'}""").data == {"a": "1", "b": "true", "c": "null"}


def test_a_utf8_byte_order_mark_moves_no_column():
    assert read(b"\xef\xbb\xbfa: 1").keys == {("a",): (1, 1)}


def test_every_duplicate_is_reported_and_reading_goes_on():
    document = read(b"a: 1\na: 2\nb: {c: 1, c: 2}\n")
    assert [(f.line, f.column, f.path, f.text) for f in document.faults] == [
        (2, 1, ("a",), "given twice, on line 1 and on line 2; keep one"),
        (3, 11, ("b", "c"), "given twice, on line 3 and on line 3; keep one"),
    ]
    assert document.readable


LOOK = "; look at the quotes, brackets and indentation here and above"
UNREADABLE = {
    "empty": (b"", 1, 1, "the file is empty; a sweep needs name, network, …"),
    "comment": (b"# nothing\n\n", 1, 1, "the file is empty; a sweep needs name, network, …"),
    "two documents": (b"a: 1\n---\nb: 1\n", 2, 1, "a second document begins here; keep one sweep a file"),
    "tab": (b"a:\n\tb: 1\n", 2, 1, "a tab; YAML indents with spaces"),
    "python tag": (
        b"a: !!python/object/apply:os.system [ls]",
        1,
        4,
        "tags (!!python/object/apply:os.system) are not read; remove it",
    ),
    "own tag": (b"a: !x 1", 1, 4, "tags (!x) are not read; remove it"),
    "standard tag": (b"a: !!str 1", 1, 4, "tags (!!str) are not read; remove it"),
    "tag on a key": (b"!!str a: 1", 1, 1, "tags (!!str) are not read; remove it"),
    "alias": (b"a: &x [1]\nb: *x\n", 2, 4, "aliases (*x) are not read; write the value out"),
    "merge": (b"a: &x {b: 1}\nc:\n  <<: *x\n", 3, 7, "aliases (*x) are not read; write the value out"),
    "list as key": (b"[a]: 1", 1, 1, "a list or mapping as a key; keys are words"),
    "latin-1": ("a: 1\nb: é".encode("latin-1"), 2, 4, "byte 0xe9 is not UTF-8; save the file as UTF-8"),
    "utf-16": ("a: 1".encode("utf-16"), 1, 1, "encoded in UTF-16 or UTF-32; save it as UTF-8"),
    "utf-32": ("a: 1".encode("utf-32"), 1, 1, "encoded in UTF-16 or UTF-32; save it as UTF-8"),
    "utf-16 unmarked": ("a: 1".encode("utf-16-be"), 1, 1, "character U+0000 is not text; remove it"),
    "binary": (b"\x7fELF\x02\x01\x00", 1, 1, "character U+007F is not text; remove it"),
    "control": (b"a: 1\nb: \x1b[31m", 2, 4, "character U+001B is not text; remove it"),
    "escape beyond Unicode": (rb'a: "\U00110000"', 1, 1, "not valid YAML: an escape or a directive that means nothing"),
    "huge directive": (
        b"%YAML " + b"1" * 5000 + b".1\n---\na: 1",
        1,
        1,
        "not valid YAML: an escape or a directive that means nothing",
    ),
    "open bracket": (b"a: [1", 1, 6, f"not valid YAML: expected ',' or ']', but got '<stream end>'{LOOK}"),
    "two colons": (b"a: b: c", 1, 5, f"not valid YAML: mapping values are not allowed here{LOOK}"),
    "deep list": (b"[" * 100_000, 1, MAX_DEPTH + 2, f"nested more than {MAX_DEPTH} deep"),
    "deep mapping": (b"{a: " * 50_000, 1, 4 * (MAX_DEPTH + 1) + 1, f"nested more than {MAX_DEPTH} deep"),
    "long": (
        b"[" + b"1," * MAX_NODES + b"1]",
        1,
        2 * MAX_NODES,
        f"more than {MAX_NODES} values; write a range, or split the sweep",
    ),
    "large": (
        b"a: 1 #" + b"x" * MAX_BYTES,
        1,
        1,
        "larger than 256 kB; a sweep is a few lines, data have their own file",
    ),
}


@pytest.mark.parametrize("content, line, column, text", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_cannot_be_read_is_named_with_its_place(content, line, column, text):
    began = time.process_time()
    document = read(content)
    assert time.process_time() - began < 1
    assert not document.readable and document.data is None
    assert [(f.line, f.column, f.text) for f in document.faults] == [(line, column, text)]


def test_aliases_that_would_explode_are_not_followed():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 40)]
    document = read("\n".join(lines).encode())
    assert [(f.line, f.column, f.path) for f in document.faults] == [(2, 10, ("a1", 0))]


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**19), 10**19)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=("Cs",)))
    | st.from_regex(r"[-+0-9.eExo:_]{1,6}", fullmatch=True),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc01.", min_size=1), inner, max_size=4),
    max_leaves=12,
)


@example({"name": "\x85"})  # a line ends here, for YAML 1.1
@example({"name": "a\u2028b"})
@given(st.dictionaries(st.sampled_from(["name", "012", "true", "null", "1e3"]), values, min_size=1))
def test_what_is_written_reads_back_the_same(data):
    document = read(write(data).encode())
    assert document.faults == []
    assert repr(document.data) == repr(data)


def test_inline_writing_is_one_line():
    assert write_inline({"from": 1, "to": 1024, "steps": 11}) == "{from: 1, to: 1024, steps: 11}"
    assert write_inline(128) == "128"
    assert write_inline("012") == '"012"'


@given(st.binary(max_size=200) | st.text("ab:-[]{}#&*!|>'\"%@` \n\t,?0", max_size=60).map(str.encode))
def test_no_text_raises(content):
    document = read(content)
    assert document.readable or (document.faults and document.data is None)
