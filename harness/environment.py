"""What a result was made with, and the fingerprint: all that its last bits may depend on."""

import platform
import subprocess
from functools import cache
from hashlib import blake2b
from importlib import metadata
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info

from harness.inits import INITS, base_weights
from harness.streams import HIDDEN, Streams

PACKAGES = ("gradient-harness", "numpy", "scipy", "pandas", "pyarrow", "matplotlib")
ARITHMETIC = ("numpy", "scipy")  # packages that compute a table's numbers


def _code() -> str:
    """A hash of the source of this package: names and bytes of its files."""
    package, digest = Path(__file__).parent, blake2b(digest_size=6)
    for path in sorted(package.rglob("*.py")):
        digest.update(f"{path.relative_to(package).as_posix()}\0".encode() + path.read_bytes())
    return digest.hexdigest()


CODE = _code()  # as this process loaded it: its files may be others by the time that somebody asks


def environment() -> dict:
    """Where a result was made: versions, machine, commit, and the fingerprint."""
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
    """What the last bits of a table follow from, beside config and code; where it is equal, they are.

    Versions of the packages that compute and of the C library's functions they call, the BLAS with the kernel it
    chose for this processor, the processor features that numpy dispatches on, and a hash of the first draws of each
    family, since a library may change its streams.
    """
    libc = " ".join(platform.libc_ver()).strip() or platform.release()
    return {
        "versions": ", ".join([*(f"{name} {_version(name)}" for name in ARITHMETIC), libc]),
        "blas": _blas(),
        "cpu": f"{platform.system()} {platform.machine()}: " + " ".join(_dispatched()),
        "draws": _first_draws(),
    }


def made_with() -> dict[str, str]:
    """What is kept with every part of a table: parts for which it is equal may stand beside each other.

    The code is told by its hash, too: a checkout that is edited keeps its version.
    """
    return {"harness": str(_version("gradient-harness")), "code": CODE} | fingerprint()


def _blas() -> str:
    """numpy's BLAS and its kernel; scipy's wheels bring another one, which does no work here."""
    loaded = [info for info in threadpool_info() if info["user_api"] == "blas"]
    own = [info for info in loaded if "numpy" in info["filepath"]] or loaded
    return ", ".join(f"{info['internal_api']} {info.get('version')} {info.get('architecture')}" for info in own)


def _dispatched() -> list[str]:
    """Processor features that numpy was built to dispatch on and found here."""
    from numpy._core import _multiarray_umath as built  # numpy.show_config prints the same, as text

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
    """Commit and dirtiness of the checkout that this code runs from, if it is one."""
    here = Path(__file__).parent

    def ask(*words: str) -> str:
        return subprocess.run(("git", "-C", here, *words), capture_output=True, text=True, check=True).stdout.strip()

    try:
        if Path(ask("rev-parse", "--show-toplevel")) != here.parent.resolve():
            return None
        return {"commit": ask("rev-parse", "HEAD"), "dirty": bool(ask("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return None
