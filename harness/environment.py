"""What a result was made with: versions, BLAS and machine, on which its last bits may depend."""

import platform
import subprocess
from importlib import metadata
from pathlib import Path

from threadpoolctl import threadpool_info

PACKAGES = ("gradient-harness", "numpy", "scipy", "pandas", "pyarrow", "matplotlib")


def environment() -> dict:
    """Versions, BLAS and machine: what the last bits of a result may depend on."""
    blas = [{key: info.get(key) for key in ("internal_api", "version", "architecture")} for info in threadpool_info()
            if info["user_api"] == "blas"]  # fmt: skip
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "blas": blas,
        "machine": platform.machine(),
        "system": platform.system(),
        "git": _git(),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


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
