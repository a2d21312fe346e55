"""What a table was made on: the processor and the versions."""

import platform
from importlib import metadata
from pathlib import Path

from harness.results.environment import fingerprint

PACKAGES = ("numpy", "torch", "jax")


def line() -> str:
    versions = [f"{name} {metadata.version(name)}" for name in PACKAGES if _there(name)]
    return (
        f"{processor()}, {platform.system()}; one core, one thread; Python {platform.python_version()}, "
        f"{', '.join(versions)}; numpy's BLAS: {fingerprint()['blas']}."
    )


def processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [text.partition(":")[2].strip() for text in lines if text.startswith("model name")]
    model = next((text.partition(":")[2].strip() for text in lines if text.startswith("model\t")), "")
    return f"{names[0]} (model {model})" if names else platform.processor() or platform.machine()


def _there(package: str) -> bool:
    try:
        return bool(metadata.version(package))
    except metadata.PackageNotFoundError:
        return False
