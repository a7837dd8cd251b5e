"""The CDNOW sample: 6,919 purchases of 2,357 customers, 1997-98, from a data file inside the wheel `lifetimes`."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path


@dataclass(frozen=True)
class Purchase:
    """`number` is the line in the file, from 1; equal lines are different purchases."""

    number: int
    buyer: int
    day: date
    yuan: str

    @property
    def fen(self) -> int:
        return int(Decimal(self.yuan) * 100)


def log_file() -> Path:
    """The file on disk. The package itself is never imported: it wants libraries that nobody installed."""
    files = importlib.metadata.files("lifetimes") or []
    return Path(str(next(file for file in files if file.name == "CDNOW_sample.txt").locate()))


def read_log() -> list[Purchase]:
    purchases = []
    for number, line in enumerate(log_file().read_text().splitlines(), start=1):
        _, buyer, day, _, amount = line.split()
        bought = datetime.strptime(day, "%Y%m%d").date()
        purchases.append(Purchase(number, int(buyer), bought, f"{Decimal(amount):.2f}"))
    return purchases
