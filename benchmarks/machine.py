"""What the machine is called that something was measured on."""

from __future__ import annotations

import platform
import re
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")


def cpu() -> str:
    """The processor's name."""
    found = re.search(r"model name\s*: (.*)", CPU_INFO.read_text(encoding="utf-8"))
    return found[1] if found else platform.machine()


def vectors() -> str:
    """The widest vector instructions that it has, of those that speed is known to depend on."""
    flags = CPU_INFO.read_text(encoding="utf-8").split()
    kinds = (("AMX", "amx_tile"), ("AVX-512", "avx512f"), ("AVX2", "avx2"))
    return next((kind for kind, flag in kinds if flag in flags), "no AVX2")
