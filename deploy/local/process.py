"""Child processes that do not outlive us, however we end."""

from __future__ import annotations

import shutil


def tied(signal_name: str) -> tuple[str, ...]:
    """A prefix that has the kernel send this signal when our process dies; empty where setpriv is missing."""
    return ("setpriv", "--pdeathsig", signal_name) if shutil.which("setpriv") else ()
