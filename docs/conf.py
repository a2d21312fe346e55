"""Settings of Sphinx: `make docs` builds these pages, with warnings as errors."""

import sys
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]  # generate.py, and the checkout's own code

generate = import_module("generate")

project = "harness"
author = copyright = "The harness authors"
release = version = import_module("harness").__version__

extensions = ["myst_nb", "sphinx.ext.autodoc"]
exclude_patterns = ["_build", "generated"]
html_theme = "furo"  # maintained, readable on a phone and in the dark, and needs no network
html_title = "harness"
smartquotes = False
default_role = "literal"  # docstrings are plain text with `code` in single backquotes

myst_heading_anchors = 3

nb_execution_mode = "force"  # docs/tour.ipynb is kept without outputs, and run at each build
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 120  # seconds a cell; all of them take about ten

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_type_aliases = {name: name for name in ("ActivationLike", "ArrayLike")}
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88

CONTRIBUTING = ("](../CONTRIBUTING.md)", "](contributing.md)")  # where the link leads in the repository, and here


def setup(app):
    app.connect("builder-inited", lambda _: generate.write())
    app.connect("source-read", lambda _app, _page, text: text.append(text.pop().replace(*CONTRIBUTING)))
    app.connect("autodoc-process-signature", lambda *given: tuple(map(generate.signature, given[-2:])))
    app.connect("autodoc-process-docstring", lambda *given: generate.docstring(given[-1]))
