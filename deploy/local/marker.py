"""Whose a folder is: only one that carries our marker is ever written to or emptied."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection
from pathlib import Path

from deploy.local.lock import LOCK

MARKER = ".bihuan-home"
TEXT = "This folder belongs to Bihuan: `make run` deletes everything in it.\n"

# All that the release without a marker (0.1.0) ever put into a home, and the keys by which its homes are known.
_UNMARKED_NAMES = {
    "corps.toml", "keys.json", "logs", "nats", "postgres", "postgres.making", "postgres.password", "sandbox.json",
    "sandbox.json.making", "suite.pid", "summary.json",
}  # fmt: skip
_UNMARKED_KEYS = {"data", "index", "session", "service", "postgres", "nats", "corp_id", "callback_aes_key"}


def claim(path: Path, root: Path) -> None:
    """Makes a folder ours by writing the marker before anything else; RuntimeError where it may be another's.

    Ours are: a folder that did not exist, an empty one, one with our marker, one that the release without a marker
    made. `root` is the source tree, which no home may hold.
    """
    if any(_holds(path, other) for other in (Path("/"), Path.home(), root)):
        raise _refusal(path, "it holds more than a suite's data")
    try:
        path.mkdir(parents=True, exist_ok=True)
        names = {entry.name for entry in path.iterdir()}
        if is_marked(path):
            return
        if names - {MARKER} and not _is_unmarked_home(path, names):
            raise _refusal(path, f"it is not empty and has no {MARKER} of ours in it")
        _write_marker(path)
    except (FileExistsError, NotADirectoryError):
        raise _refusal(path, "it is not a folder") from None
    except OSError as error:
        raise _refusal(path, (error.strerror or str(error)).lower()) from None


def is_marked(path: Path) -> bool:
    marker = path / MARKER
    return not marker.is_symlink() and marker.is_file() and marker.read_text(errors="replace") == TEXT


def empty(path: Path) -> None:
    """Deletes everything but the marker and the lock, which is held meanwhile; what links point at stays."""
    if not is_marked(path):
        raise _refusal(path, f"it has no {MARKER} of ours in it")
    for entry in path.iterdir():
        if entry.name in {MARKER, LOCK}:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _holds(path: Path, other: Path) -> bool:
    return other.resolve().is_relative_to(path)


def _is_unmarked_home(path: Path, names: Collection[str]) -> bool:
    """Made by 0.1.0: its keys, its logs, and nothing that it would not have written itself."""
    keys, logs = path / "keys.json", path / "logs"
    if not _UNMARKED_NAMES.issuperset(names) or keys.is_symlink() or logs.is_symlink() or not logs.is_dir():
        return False
    try:
        kept = json.loads(keys.read_text())
    except (OSError, ValueError):
        return False
    return isinstance(kept, dict) and kept.keys() >= _UNMARKED_KEYS


def _write_marker(path: Path) -> None:
    marker = os.open(path / MARKER, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(marker, "w") as file:
        file.write(TEXT)


def _refusal(path: Path, reason: str) -> RuntimeError:
    return RuntimeError(
        f"{path} cannot be the suite's home: {reason}. Name a new or an empty folder by BIHUAN_HOME or --home."
        " Nothing was changed."
    )
