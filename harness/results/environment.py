"""The environment of a result, and its fingerprint: everything beside config and code that its last bits depend on."""

import platform
import subprocess
from functools import cache
from hashlib import blake2b
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from harness.base.streams import HIDDEN, Streams
from harness.networks.families import base_weights
from harness.networks.inits import INITS
from harness.results.code.sources import code_hash

PACKAGES = ("gradient-harness", "numpy", "scipy", "pandas", "pyarrow", "matplotlib")
ARITHMETIC = ("numpy", "scipy")  # packages that compute a table's numbers

# Parts of a fingerprint that can change the last digits of a table only; other draws change all.
WITHIN_TOLERANCE = ("versions", "blas", "cpu")


def environment() -> dict:
    """Versions, machine, commit and fingerprint of this process, for the manifest."""
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "machine": platform.machine(),
        "system": platform.system(),
        "git": _git(),
        "fingerprint": fingerprint(),
    }


@cache
def fingerprint() -> dict[str, str]:
    """Everything beside config and code that the last bits of a table depend on; equal fingerprints give equal bits.

    It has the versions of the packages that compute and of the C library, the BLAS with its kernel for this processor,
    the processor features that numpy uses, and a hash of the first draws of each family, because a library may change
    its random streams.
    """
    libc = " ".join(platform.libc_ver()).strip() or platform.release()
    return {
        "versions": ", ".join([*(f"{name} {_version(name)}" for name in ARITHMETIC), libc]),
        "blas": _blas(),
        "cpu": f"{platform.system()} {platform.machine()}: " + " ".join(_dispatched()),
        "draws": _first_draws(),
    }


def made_with() -> dict[str, str]:
    """The entries `made_with` of every part of a table; parts in which they differ are not mixed without --mixed.

    The hash of the code is in it because an edited checkout keeps its version.
    """
    return {"harness": str(_version("gradient-harness")), "code": code_hash()} | fingerprint()


def _blas() -> str:
    """The BLAS of numpy and its kernel; scipy's wheels bring another, which is not used here."""
    loaded = [info for info in threadpool_info() if info["user_api"] == "blas"]
    used = [info for info in loaded if "numpy" in info["filepath"]] or loaded
    return ", ".join(f"{info['internal_api']} {info.get('version')} {info.get('architecture')}" for info in used)


def _dispatched() -> list[str]:
    """Processor features that numpy was built to use and that this processor has."""
    built: Any = import_module("numpy._core._multiarray_umath")  # numpy.show_config prints the same, as text
    return [name for name in built.__cpu_dispatch__ if built.__cpu_features__.get(name)]


def _first_draws() -> str:
    digest = blake2b(digest_size=6)
    for family in sorted({make().family for make in INITS.values()}):
        draws = base_weights(family, Streams(0, family, 4, 4), HIDDEN, 0, [0], 4, 4)
        digest.update(np.float32(draws).tobytes())  # rounded: the last bits of a QR are the BLAS's
    return digest.hexdigest()


@cache  # a package's metadata is parsed for it, README and all: hundredths of a second
def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


@cache
def _git() -> dict | None:
    """The commit of the checkout that this code runs from and whether files are changed; None outside of a checkout."""
    here = Path(__file__).parents[1]

    def ask(*words: str) -> str:
        return subprocess.run(("git", "-C", here, *words), capture_output=True, text=True, check=True).stdout.strip()

    try:
        if Path(ask("rev-parse", "--show-toplevel")) != here.parent.resolve():
            return None
        return {"commit": ask("rev-parse", "HEAD"), "dirty": bool(ask("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return None
