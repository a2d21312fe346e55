"""Commands of a checkout: `harness list` and `harness new`."""

from pathlib import Path

from harness.interface import options
from harness.interface.terminal import plain_table, print_json, print_table, say

LIST_HELP = "List activations, initialisations, measures, figures and experiments."
NEW_HELP = "Write a commented config and a question's file with one claim and one figure."


def list_(as_json: options.Json = False) -> None:
    """Print the tables of what there is to choose from."""
    from harness.interface.checkout.catalogue import catalogue

    tables = catalogue(Path("experiments"))
    if as_json:
        print_json([*map(plain_table, tables)])
    for table in () if as_json else tables:
        print_table(table)


def new(name: options.Name) -> None:
    """Write both files, and print their paths and the command that runs them."""
    from harness.interface.checkout.scaffold import write

    for path in write(name, Path()):
        say(path)
    say(f"run it with: harness sweep configs/{name}.yaml")
