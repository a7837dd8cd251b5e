"""A browser that runs anywhere, root or not: the npm package's Chromium with libraries and fonts of its own."""

from __future__ import annotations

import platform
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, async_playwright

from tests.conftest import ROOT

UNPACKED = ROOT / ".build" / "browser"
TREE = ROOT / "tests" / "browser" / "node_modules"
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{latin}</dir>
  <dir>{chinese}</dir>
  <cachedir>{cache}</cachedir>
  <alias><family>system-ui</family><prefer><family>Open Sans</family><family>Noto Sans Hans</family></prefer></alias>
  <alias><family>sans-serif</family><prefer><family>Open Sans</family><family>Noto Sans Hans</family></prefer></alias>
  <alias><family>monospace</family><prefer><family>Open Sans</family></prefer></alias>
</fontconfig>
"""


def _program(folder: Path) -> tuple[str, dict[str, str]]:
    """Where Chromium is, and what it needs in its environment."""
    if platform.machine() not in ("x86_64", "AMD64"):
        found = shutil.which("chromium")
        if found is None:
            raise RuntimeError(f"no Chromium is packed for {platform.machine()}: put a `chromium` on the PATH")
        return found, {}
    if not (UNPACKED / "chromium").exists():
        raise RuntimeError("the browser is not there: make .build/browser.stamp")
    config = folder / "fonts.conf"
    config.write_text(
        FONTS.format(
            latin=UNPACKED / "fonts" / "fonts",
            chinese=TREE / "@embedpdf" / "fonts-sc" / "fonts",
            cache=folder / "cache",
        )
    )
    return str(UNPACKED / "chromium"), {
        "LD_LIBRARY_PATH": str(UNPACKED / "al2023" / "lib"),
        "FONTCONFIG_FILE": str(config),
        "HOME": str(folder),
    }


@asynccontextmanager
async def launch(folder: Path) -> AsyncIterator[Browser]:
    """`folder`: for its fonts' cache."""
    program, environment = _program(folder)
    async with async_playwright() as playwright:
        environment = {**environment, "PATH": "/usr/bin:/bin"}
        browser = await playwright.chromium.launch(executable_path=program, env=dict[str, Any](environment))
        try:
            yield browser
        finally:
            await browser.close()


def axe_source() -> str:
    return (TREE / "axe-core" / "axe.min.js").read_text()
