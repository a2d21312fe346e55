"""A digest of what a function computes: of its code and of all that it uses, wherever it was defined.

A part of the user's own may be defined in a file, in a notebook or at a prompt, where there is no source to hash. The
digest is therefore that of compiled code. It is the same in every process of one version of Python, and does not
depend on comments, docstrings, places and names of files.
"""

import sys
import sysconfig
from dataclasses import fields, is_dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType

import numpy as np

INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
PACKAGE = str(Path(__file__).parents[2])  # a change of its code counts by itself: results.environment.code_hash


def digest(value: object) -> str:
    """Twelve hexadecimal digits that change with what a function or an object computes."""
    return blake2b(_Description().of(value).encode(), digest_size=6).hexdigest()


class _Description:
    """Texts of objects that are equal where the objects compute the same. What was met before is only numbered."""

    def __init__(self) -> None:
        self._met: dict[int, tuple[int, object]] = {}  # by identity; holds the objects, so that none is reused

    def of(self, value: object) -> str:
        """The text of an object, or of what an earlier text has already described, its number."""
        if value is None or isinstance(value, bool | int | float | complex | str | bytes | np.generic):
            return f"{type(value).__name__} {value!r}"
        if isinstance(value, ModuleType | BuiltinFunctionType | np.ufunc):
            return f"{type(value).__name__} {getattr(value, '__module__', '')}.{value.__name__}"
        if id(value) in self._met:
            return f"met {self._met[id(value)][0]}"
        self._met[id(value)] = len(self._met), value
        return f"{type(value).__qualname__}({self._inside(value)})"

    def _inside(self, value: object) -> str:
        if isinstance(value, FunctionType):
            return self._function(value)
        if isinstance(value, CodeType):
            return self._all([value.co_code, value.co_names, value.co_freevars, *value.co_consts])
        if isinstance(value, MethodType):
            return self._all([value.__func__, value.__self__])
        if isinstance(value, partial):
            return self._all([value.func, value.args, value.keywords])
        if isinstance(value, np.ndarray):
            return f"{value.dtype} {value.shape} {value.tobytes().hex()}"
        if isinstance(value, dict):
            return self._all([item for pair in value.items() for item in pair])
        if isinstance(value, set | frozenset):
            return ",".join(sorted(map(self.of, value)))
        if isinstance(value, list | tuple):
            return self._all(value)
        if isinstance(value, type):
            own = () if _installed(value.__module__) else [*value.__bases__, *_attributes(vars(value))]
            return f"{value.__module__}.{value.__qualname__} {self._all(own)}"
        if is_dataclass(value):
            return self._all([type(value), *(getattr(value, field.name) for field in fields(value))])
        return self._all([type(value), *_attributes(getattr(value, "__dict__", {}))])

    def _function(self, function: FunctionType) -> str:
        """Its code without the docstring, its defaults, and the values of outer and global names that it uses."""
        cells = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
        around = self._all([function.__defaults__, function.__kwdefaults__, *cells])
        if _installed(function.__module__):
            return f"{function.__module__}.{function.__qualname__} {around}"
        code = function.__code__
        if code.co_consts and function.__doc__ is not None and code.co_consts[0] == function.__doc__:
            code = code.replace(co_consts=(None, *code.co_consts[1:]))
        used = [(name, function.__globals__[name]) for name in _names(code) if name in function.__globals__]
        return f"{self.of(code)} {around} {self._all(used)}"

    def _all(self, values: object) -> str:
        return ",".join(map(self.of, values))  # type: ignore[call-overload]


def _names(code: CodeType) -> list[str]:
    """The names that may be global in a code and in the functions inside it, sorted."""
    inner = (name for const in code.co_consts if isinstance(const, CodeType) for name in _names(const))
    return sorted({*code.co_names, *inner})


def _attributes(found: object) -> list[object]:
    """The names and values in the namespace of a class or an object, but for what Python adds."""
    kept = ("__init__", "__call__")
    pairs = dict(found).items()  # type: ignore[call-overload]
    return [
        item for name, value in sorted(pairs) if name in kept or not name.startswith("__") for item in (name, value)
    ]


def _is_filled(cell: object) -> bool:
    try:
        return cell.cell_contents is not cell  # type: ignore[attr-defined]
    except ValueError:  # a function that is not yet defined
        return False


def _installed(module: str) -> bool:
    """Whether a module is of Python, of an installed package or of the harness, whose versions are recorded."""
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None or module == "__main__":  # that of a notebook is a file of the kernel
        return module in sys.builtin_module_names
    return any(Path(file).is_relative_to(folder) for folder in (*INSTALLED, PACKAGE))
