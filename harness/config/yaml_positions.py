"""YAML 1.2 to plain data with the position of every key and value, and back; without tags, aliases or large files."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from harness.base.messages import Path

MAX_BYTES = 2**18  # read and refused within 1 s even if all of it is one scalar
MAX_NODES = 10_000  # keys and values: 0.15 s of parsing
MAX_DEPTH = 32  # a sweep needs 6

_NULL = re.compile(r"|~|null|Null|NULL")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]{1,100}|0o[0-7]{1,100}|0x[0-9a-fA-F]{1,100}", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_INFINITY = re.compile(r"[-+]?\.(inf|Inf|INF)")
_NAN = re.compile(r"\.(nan|NaN|NAN)")


@dataclass(frozen=True)
class Fault:
    """A fault of the text itself; line and column count from 1."""

    line: int
    column: int
    path: Path
    text: str


@dataclass
class Document:
    """Plain data, the (line, column) of each value and each key, and the faults of the text."""

    data: object = None
    values: dict[Path, tuple[int, int]] = field(default_factory=dict)
    keys: dict[Path, tuple[int, int]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    readable: bool = True  # False: reading stopped at the last fault, and data is None


class _Unreadable(Exception):
    """Stops the reading; its arguments are line, column, path and text."""


def read(content: bytes) -> Document:
    """The one document in `content`, by the core schema of YAML 1.2; never raises."""
    document = Document()
    try:
        text = _text(content)
        events = yaml.parse(text, Loader=yaml.SafeLoader)
        document.data = _Composer(events, document).whole()
    except _Unreadable as problem:
        _give_up(document, *problem.args)
    except yaml.MarkedYAMLError as error:
        _give_up(document, *_position(error.problem_mark or error.context_mark), (), _syntax(error))
    except (yaml.YAMLError, ValueError, OverflowError):  # an escape beyond Unicode, a directive of 5,000 digits
        _give_up(document, 1, 1, (), "not valid YAML: an escape or a directive that means nothing")
    return document


def write(data: object) -> str:
    """YAML that `read` reads back as the same data: one key on each line, nested collections in braces."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None)


def write_inline(data: object) -> str:
    """YAML on one line, for messages."""
    text = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**9, default_flow_style=True)
    return text.removesuffix("\n").removesuffix("\n...")


def scalar(text: str) -> object:
    """The value of a plain scalar: `012` is 12, `1e-2` a number, `1:30` and `yes` are text."""
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text.lower() == "true"
    if _INT.fullmatch(text):
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INFINITY.fullmatch(text):
        return float("-inf" if text.startswith("-") else "inf")
    return float("nan") if _NAN.fullmatch(text) else text


class _Composer:
    """Builds a document from the parser's events, without reading ahead."""

    def __init__(self, events: Iterator[yaml.Event], document: Document) -> None:
        self.events, self.document, self.nodes = events, document, 0

    def whole(self) -> object:
        """The data of the only document."""
        next(self.events)  # the start of the stream
        if isinstance(next(self.events), yaml.StreamEndEvent):
            raise _Unreadable(1, 1, (), "the file is empty; a sweep needs name, network, …")
        data = self.value(next(self.events), ())
        next(self.events)  # the end of the document
        more = next(self.events)
        if not isinstance(more, yaml.StreamEndEvent):
            line, column = _position(more.start_mark)
            raise _Unreadable(line, column, (), "a second document begins here; keep one sweep a file")
        return data

    def value(self, event: yaml.Event, path: Path) -> object:
        """The data that begin with an event."""
        line, column = _position(event.start_mark)
        self._admit(event, path)
        self.document.values[path] = (line, column)
        if isinstance(event, yaml.ScalarEvent):
            return scalar(event.value) if event.implicit[0] else event.value
        if isinstance(event, yaml.SequenceStartEvent):
            return [self.value(item, (*path, i)) for i, item in enumerate(self._until(yaml.SequenceEndEvent))]
        return self._mapping(path)

    def _mapping(self, path: Path) -> dict:
        mapping: dict[str, object] = {}
        for key_event in self._until(yaml.MappingEndEvent):
            position = _position(key_event.start_mark)
            self._admit(key_event, path)
            if not isinstance(key_event, yaml.ScalarEvent):
                raise _Unreadable(*position, path, "a list or mapping as a key; keys are words")
            key = key_event.value
            first = self.document.keys.get((*path, key)) if key in mapping else None
            if first:
                text = f"given twice, on line {first[0]} and on line {position[0]}; keep one"
                self.document.faults.append(Fault(*position, (*path, key), text))
            self.document.keys[*path, key] = position
            mapping[key] = self.value(next(self.events), (*path, key))
        return mapping

    def _until(self, end: type[yaml.Event]) -> Iterator[yaml.Event]:
        while not isinstance(event := next(self.events), end):
            yield event

    def _admit(self, event: yaml.Event, path: Path) -> None:
        self.nodes += 1
        position = _position(event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            raise _Unreadable(*position, path, f"aliases (*{event.anchor[:40]}) are not read; write the value out")
        if event.tag is not None:
            raise _Unreadable(*position, path, f"tags ({_tag(event.tag)}) are not read; remove it")
        if self.nodes > MAX_NODES:
            raise _Unreadable(*position, path[:1], f"more than {MAX_NODES} values; write a range, or split the sweep")
        if len(path) > MAX_DEPTH:
            raise _Unreadable(*position, path[:1], f"nested more than {MAX_DEPTH} deep")


class _Dumper(yaml.SafeDumper):
    """Quotes a text that YAML 1.2 would read as another value, or whose line ends it would fold into spaces."""

    def represent_text(self, text: str) -> yaml.Node:
        """The node of a text, in double quotes where it would be read as another value."""
        style = None if isinstance(scalar(text), str) and text.isprintable() else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _Dumper.represent_text)


def _text(content: bytes) -> str:
    if len(content) > MAX_BYTES:
        raise _Unreadable(
            1, 1, (), f"larger than {MAX_BYTES // 1024} kB; a sweep is a few lines, data have their own file"
        )
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _Unreadable(1, 1, (), "encoded in UTF-16 or UTF-32; save it as UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = _line_column(content[: error.start].decode("utf-8-sig"))
        byte = content[error.start]
        raise _Unreadable(line, column, (), f"byte 0x{byte:02x} is not UTF-8; save the file as UTF-8") from None
    bad = yaml.reader.Reader.NON_PRINTABLE.search(text)
    if bad:
        line, column = _line_column(text[: bad.start()])
        raise _Unreadable(line, column, (), f"character U+{ord(bad.group()):04X} is not text; remove it")
    return text


def _give_up(document: Document, line: int, column: int, path: Path, text: str) -> None:
    document.faults.append(Fault(line, column, path, text))
    document.data, document.readable = None, False


def _syntax(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or error.context or "not understood"
    if r"'\t'" in problem:
        return "a tab; YAML indents with spaces"
    return f"not valid YAML: {_printable(problem)}; look at the quotes, brackets and indentation here and above"


def _tag(tag: str) -> str:
    return _printable(tag.replace("tag:yaml.org,2002:", "!!"))


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:120])


def _position(mark: yaml.Mark) -> tuple[int, int]:
    return mark.line + 1, mark.column + 1


def _line_column(before: str) -> tuple[int, int]:
    return before.count("\n") + 1, len(before) - before.rfind("\n")
