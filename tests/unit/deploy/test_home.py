"""Only a folder of ours is ever emptied, and only one suite at a time runs in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.local import lock
from deploy.local.home import ROOT, Home, Ports
from deploy.local.lock import LOCK
from deploy.local.marker import MARKER

PORTS = Ports(20000)
# What the release without a marker keeps in keys.json.
OLD_KEYS = {
    "data": "local1:x", "index": "x", "session": "x", "service": "x", "postgres": "x", "nats": "x", "corp_id": "ww1",
    "app_secret": "x", "callback_token": "x", "callback_aes_key": "x", "mall_client_id": "x", "mall_client_secret": "x",
    "others": [],
}  # fmt: skip


def prepare(path: Path, *, empty: bool = True) -> Home:
    home = Home(path)
    home.prepare(PORTS, empty=empty)
    return home


def contents(path: Path) -> dict[str, bytes | None]:
    return {str(entry.relative_to(path)): entry.read_bytes() if entry.is_file() else None for entry in path.rglob("*")}


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    """A folder of somebody's own."""
    folder = tmp_path / "documents"
    (folder / "letters").mkdir(parents=True)
    (folder / "letters" / "to_mother.txt").write_text("Dear mother")
    (folder / "keys.json").write_text('{"house": "under the mat"}')
    return folder


def old_home(path: Path) -> Path:
    for name in ("logs", "postgres", "nats"):
        (path / name).mkdir(parents=True)
    (path / "keys.json").write_text(json.dumps(OLD_KEYS))
    (path / "postgres" / "PG_VERSION").write_text("18")
    (path / "suite.pid").write_text("1")
    return path


@pytest.mark.parametrize("empty", [True, False])
def test_a_folder_of_another_is_refused_and_left_as_it_was(documents: Path, empty: bool) -> None:
    before, mode = contents(documents), documents.stat().st_mode
    with pytest.raises(RuntimeError, match=r"not empty and has no \.bihuan-home"):
        prepare(documents, empty=empty)
    assert contents(documents) == before
    assert documents.stat().st_mode == mode


def test_a_link_to_a_folder_of_another_is_refused(documents: Path, tmp_path: Path) -> None:
    before = contents(documents)
    (tmp_path / "link").symlink_to(documents)
    with pytest.raises(RuntimeError, match="not empty"):
        prepare(tmp_path / "link")
    assert contents(documents) == before


@pytest.mark.parametrize("marker", ["link", "folder", "other words"])
def test_something_else_of_the_markers_name_is_no_marker(documents: Path, tmp_path: Path, marker: str) -> None:
    home = prepare(tmp_path / "home")
    if marker == "link":
        (documents / MARKER).symlink_to(home.path / MARKER)
    elif marker == "folder":
        (documents / MARKER).mkdir()
    else:
        (documents / MARKER).write_text("not Bihuan's")
    before = contents(documents)
    with pytest.raises(RuntimeError, match="not empty"):
        prepare(documents)
    assert contents(documents) == before


def test_the_root_the_users_home_and_the_source_tree_are_refused_whatever_lies_in_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = tmp_path / "user"
    user.mkdir()  # empty, and so without the marker's protection the next time
    monkeypatch.setenv("HOME", str(user))
    for path in (Path("/"), user, tmp_path, ROOT, ROOT.parent):
        with pytest.raises(RuntimeError, match="more than a suite's data"):
            prepare(path)
    assert list(user.iterdir()) == []


def test_a_file_is_no_home(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("text")
    for path in (file, file / "below"):
        with pytest.raises(RuntimeError, match="not a folder"):
            prepare(path)
    assert file.read_text() == "text"


def test_a_new_and_an_empty_folder_become_ours_and_are_emptied_from_then_on(tmp_path: Path) -> None:
    for path in (tmp_path / "deep" / "new", tmp_path / "empty"):
        if path.name == "empty":
            path.mkdir()
        first = prepare(path)
        keys = first.keys
        (path / "note").write_text("x")
        first.release()
        second = prepare(path, empty=False)
        assert second.keys == keys
        assert (path / "note").exists()
        second.release()
        third = prepare(path)
        assert third.keys != keys
        assert {entry.name for entry in path.iterdir()} == {MARKER, LOCK, "keys.json", "corps.toml", "logs"}
        third.release()


def test_emptying_follows_no_link(documents: Path, tmp_path: Path) -> None:
    prepare(tmp_path / "home").release()
    (tmp_path / "home" / "link").symlink_to(documents)
    (tmp_path / "home" / "logs" / "link").symlink_to(documents / "letters")
    before = contents(documents)
    prepare(tmp_path / "home")
    assert contents(documents) == before
    assert not (tmp_path / "home" / "link").is_symlink()


def test_a_home_that_is_reached_by_a_link_is_emptied_where_it_lies(tmp_path: Path) -> None:
    prepare(tmp_path / "disk").release()
    (tmp_path / "disk" / "note").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    prepare(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert not (tmp_path / "disk" / "note").exists()


def test_an_emptying_that_was_killed_is_finished_by_the_next(tmp_path: Path) -> None:
    """The marker is there first and stays to the last, so what is left over is ours still."""
    home = prepare(tmp_path / "home")
    home.release()
    (home.path / "keys.json").unlink()
    (home.path / "postgres").mkdir()
    assert prepare(home.path).keys
    assert not (home.path / "postgres").exists()


def test_a_marker_that_was_only_begun_is_written_anew(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / MARKER).touch()
    prepare(tmp_path / "home").release()
    prepare(tmp_path / "home")


@pytest.mark.parametrize("empty", [True, False])
def test_a_home_of_the_release_before_is_known(tmp_path: Path, empty: bool) -> None:
    path = old_home(tmp_path / "home")
    home = prepare(path, empty=empty)
    assert (path / "postgres" / "PG_VERSION").exists() is not empty
    assert (home.keys["corp_id"] == "ww1") is not empty
    home.release()
    prepare(path)


@pytest.mark.parametrize("change", ["a strange file", "strange keys", "no logs", "keys by a link"])
def test_what_only_resembles_a_home_of_the_release_before_is_refused(
    tmp_path: Path, documents: Path, change: str
) -> None:
    path = old_home(tmp_path / "home")
    if change == "a strange file":
        (path / "thesis.tex").write_text("x")
    elif change == "strange keys":
        (path / "keys.json").write_text('{"data": "x"}')
    elif change == "no logs":
        (path / "logs").rmdir()
    else:
        (path / "keys.json").rename(tmp_path / "keys.json")
        (path / "keys.json").symlink_to(tmp_path / "keys.json")
    before = contents(path)
    with pytest.raises(RuntimeError, match="not empty"):
        prepare(path)
    assert contents(path) == before


def test_two_suites_in_one_home_refuse(tmp_path: Path) -> None:
    first = prepare(tmp_path / "home")
    (first.path / "note").write_text("x")
    for empty in (True, False):
        with pytest.raises(RuntimeError, match="already runs"):
            prepare(tmp_path / "home", empty=empty)
    assert (first.path / "note").exists()
    first.prepare(PORTS, empty=False)  # what holds it may ask again
    first.release()
    prepare(tmp_path / "home")


def test_what_a_dead_holder_wrote_counts_for_nothing(tmp_path: Path) -> None:
    home = prepare(tmp_path / "home")
    holder = lock.holder(home.path)
    home.release()
    assert holder is not None
    assert holder.process() is not None
    (home.path / LOCK).write_text(json.dumps({"pid": holder.pid, "started": holder.started}))
    assert lock.holder(home.path) is None
    assert lock.Holder(holder.pid, holder.started - 60).process() is None, "a later process of the same id"
    prepare(home.path)
