"""What a shell completes: keys of a config and their values, configs, results folders, experiments and names.

Every list comes from the tables that the config's schema is made from, or from the folders that there are. A function
takes what has been typed of a word, and returns the words that it may become, or pairs of a word and its help.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Completed = list[str] | list[tuple[str, str]]


def configs(incomplete: str) -> list[str]:
    """YAML files in the folder that is being typed, and folders to go on with; at first also those of configs/."""
    folder = Path(incomplete if incomplete.endswith("/") else Path(incomplete).parent)
    found = [path for path in _inside(folder) if path.suffix in (".yaml", ".yml") or path.is_dir()]
    if "/" not in incomplete:
        found += [path for path in _inside(Path("configs")) if path.suffix == ".yaml"]
    return _begun([f"{path}/" if path.is_dir() else str(path) for path in found], incomplete)


def results(incomplete: str) -> list[str]:
    """Results folders: those in results/, or in the folder that is being typed."""
    folders = [Path("results"), Path(incomplete if incomplete.endswith("/") else Path(incomplete).parent)]
    found = [path for folder in dict.fromkeys(folders) for path in _inside(folder) if (path / "config.yaml").is_file()]
    return _begun(list(map(str, found)), incomplete)


def experiments(incomplete: str) -> list[str]:
    """The questions in experiments/."""
    return _begun([path.stem for path in _inside(Path("experiments")) if path.suffix == ".py"], incomplete)


def figures(incomplete: str) -> list[str]:
    """The names of figures."""
    from harness.figures import FIGURES

    return _begun([*FIGURES], incomplete)


def coordinates(incomplete: str) -> list[str]:
    """The names of coordinates."""
    from harness.networks.coordinates import NAMES

    return _begun([*NAMES], incomplete)


def values_of(key: str) -> Callable[[str], list[str]]:
    """A completion with the names that a key of the config may have as its value, such as network.activation."""

    def values(incomplete: str) -> list[str]:
        return _begun(list(_names(_entries()[key])), incomplete)

    return values


def settings(incomplete: str) -> Completed:
    """`KEY=` for every key of a config, with its meaning; once the key is there, `KEY=VALUE` for each of its names.

    Where one key is left its names are offered at once: bash would put a space after a lone `KEY=`.
    """
    key, equals, _ = incomplete.partition("=")
    entries = _entries()
    keys = [key] if equals else [name for name in entries if name.startswith(key)]
    valued = [f"{keys[0]}={name}" for name in _names_of(keys[0])] if len(keys) == 1 else []
    if equals or valued:
        return _begun(valued, incomplete)
    return [(f"{name}=", entries[name].get("description", "")) for name in keys]


def _names_of(key: str) -> list[str]:
    """The names that a key of a config may have as its value."""
    names = {"experiment": experiments, "figures": figures}.get(key)
    return names("") if names else list(_names(_entries().get(key, {})))


def _inside(folder: Path) -> list[Path]:
    """The visible entries of a folder; none where it cannot be read."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith((".", "_")))
    except OSError:
        return []


def _begun(words: list[str], incomplete: str) -> list[str]:
    return [word for word in dict.fromkeys(words) if word.startswith(incomplete)]


def _entries() -> dict[str, dict[str, Any]]:
    """Every key that `--set` takes -> its entry in the schema."""
    from harness.config import json_schema

    schema = json_schema()
    return dict(_below(schema, schema["$defs"], ""))


def _below(entry: dict[str, Any], definitions: dict[str, Any], prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, inner in entry["properties"].items():
        references = [one["$ref"] for one in (inner, *inner.get("anyOf", ())) if "$ref" in one]
        own = definitions[references[0].rpartition("/")[2]] if references else {}
        if "properties" in own:
            yield from _below(own, definitions, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", inner


def _names(entry: object) -> Iterator[str]:
    """The names and words that an entry of the schema allows as a value, or as one in a list."""
    if isinstance(entry, dict):
        yield from (str(name) for name in entry.get("enum", ()))
        if entry.get("type") == "boolean":
            yield from ("true", "false")
        for part in ("anyOf", "oneOf", "items"):
            yield from _names(entry.get(part))
    elif isinstance(entry, list):
        for one in entry:
            yield from _names(one)
