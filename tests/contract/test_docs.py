"""What the documents name is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "*/README.md", "*/*/README.md")
    for path in ROOT.glob(pattern)
    if not path.relative_to(ROOT).parts[0].startswith(".") and path.name != "CHANGELOG.md"  # which names what is gone
)
# A path is what ends in a slash or as our files do, or begins with a folder of ours; with a leading slash it is REST's.
PATH = re.compile(r"(?!/)[\w.*/-]*(?:/|[\w*-]\.(?:py|sql|proto|md|toml|sh|lock|json|html))")
FOLDERS = {path.name for path in ROOT.iterdir() if path.is_dir()}
LINK = re.compile(r"\[[^]]*\]\(([^)\s]+)\)")
# Made by a command, so not in a clean clone.
MADE = (".build/", ".local/", ".venv/", "bench.json", "summary.json")


def paths(document: Path) -> Iterator[str]:
    for quoted in re.findall(r"`([^`\n]+)`", document.read_text()):
        begins_ours = "/" in quoted and quoted.partition("/")[0] in FOLDERS and not re.search(r"[<{…\s]", quoted)
        if (PATH.fullmatch(quoted) or begins_ours) and not quoted.startswith(MADE):
            yield quoted.rstrip("/")


def links(document: Path) -> Iterator[str]:
    for target in LINK.findall(document.read_text()):
        if not target.startswith(("http://", "https://", "#")):
            yield target.partition("#")[0]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_and_link_of_a_document_leads_somewhere(document: Path) -> None:
    lost = [
        named
        for named in paths(document)
        # From the root, from the package whose README it is, or in each package: a layer, a file of one.
        if not any(any(document.parent.glob(named)) or any(ROOT.glob(way + named)) for way in ("", "*/", "*/*/"))
    ]
    lost += [target for target in links(document) if not (document.parent / target).exists()]
    assert lost == []


def test_the_glossary_names_a_file_on_every_line() -> None:
    rows = [line for line in (ROOT / "docs" / "glossary.md").read_text().splitlines() if line.startswith("| ")]
    terms = [row for row in rows if not row.startswith("| English ")]
    assert len(terms) >= 40
    for row in terms:
        english, chinese, meaning, where = (cell.strip() for cell in row.strip("|").split("|"))
        assert english and chinese and meaning, row
        assert re.search(r"[\u4e00-\u9fff]|_", chinese), row
        assert (ROOT / where.strip("`")).is_file(), row


def test_the_two_readmes_say_the_same() -> None:
    """As far as a program can see: the same commands, paths, pages and sections."""

    def said(name: str) -> tuple[set[str], set[str], int]:
        text = (ROOT / name).read_text()
        targets = {target for target in LINK.findall(text) if not target.startswith("README")}
        return set(re.findall(r"`([^`\n]+)`", text)), targets, len(re.findall(r"^## ", text, re.MULTILINE))

    assert said("README.md") == said("README.zh-CN.md")


def test_the_design_keeps_the_numbers_that_comments_cite() -> None:
    design = (ROOT / "docs" / "design.md").read_text()
    rules = [int(number) for number in re.findall(r"^(\d+)\. \*\*", design, re.MULTILINE)]
    assert rules == list(range(1, len(rules) + 1))
    cited = set()
    for path in ROOT.rglob("*.py"):
        if path.relative_to(ROOT).parts[0].startswith("."):
            continue
        for first, last in re.findall(r"rules? (\d+)(?: to (\d+))? of the design", path.read_text()):
            cited |= {int(first), int(last or first)}
    assert cited
    assert cited <= set(rules)
