"""Child processes that do not outlive us, however we end."""

from __future__ import annotations

import shutil


def tied(signal_name: str) -> tuple[str, ...]:
    """A prefix that has the kernel send this signal when we die; empty where setpriv is missing.

    "We" is the thread that starts the child: start it from one that lives as long as the child should.
    """
    return ("setpriv", "--pdeathsig", signal_name) if shutil.which("setpriv") else ()
