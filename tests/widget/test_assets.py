"""`pysims assets`: what it copies into a site, what it replaces, and what it leaves alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pysims import __version__
from pysims.__main__ import main
from pysims.widget import assets
from pysims.widget.assets import MANIFEST, MKDOCS, PLACE, ZENSICAL

OLD = {"sim.js": b"one", "runtime/code.111.js": b"two", "runtime/heap.bin": b"\0\1"}
NEW = {"sim.js": b"one, changed", "runtime/code.222.js": b"three", "runtime/heap.bin": b"\0\1"}
PAGE = Path(__file__).parents[2] / "docs" / "use-in-your-docs.md"
Bring = Callable[..., tuple[int, str]]


@pytest.fixture
def docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of pages, and a package that brings the OLD files."""
    monkeypatch.setattr(assets, "packed_files", lambda: dict(OLD))
    (tmp_path / "docs").mkdir()
    return tmp_path / "docs"


@pytest.fixture
def bring(docs: Path, capsys: pytest.CaptureFixture[str]) -> Bring:
    """Call the command; gives its status and all that it printed."""

    def call(*more: str) -> tuple[int, str]:
        status = main(["assets", str(docs), *more])
        told = capsys.readouterr()
        return status, told.out + told.err

    return call


@pytest.fixture
def upgrade(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    return lambda: monkeypatch.setattr(assets, "packed_files", lambda: dict(NEW))


def there(docs: Path) -> dict[str, bytes]:
    folder = docs / PLACE
    found = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if name != MANIFEST}


def test_the_files_are_copied_and_the_lines_to_add_are_printed_once(
    docs: Path, bring: Bring
) -> None:
    status, told = bring()
    assert status == 0
    assert there(docs) == OLD
    assert f"3 files, 0.0 MB, of pysims {__version__} (3 written, 0 deleted)" in told
    assert MKDOCS in told
    assert ZENSICAL in told
    status, told = bring()
    assert (status, there(docs)) == (0, OLD)
    assert "(0 written, 0 deleted)" in told
    assert MKDOCS not in told


def test_a_newer_version_replaces_what_an_older_one_wrote_and_deletes_the_rest(
    docs: Path, bring: Bring, upgrade: Callable[[], None]
) -> None:
    bring()
    (docs / PLACE / "ours.txt").write_text("of the site", "utf-8")
    upgrade()
    status, told = bring("--check")
    assert status == 1
    assert "3 files differ (runtime/code.222.js, sim.js, runtime/code.111.js …)" in told
    assert there(docs) == OLD | {"ours.txt": b"of the site"}
    assert bring()[0] == 0
    assert there(docs) == NEW | {"ours.txt": b"of the site"}
    whole = f"3 files, 0.0 MB, of pysims {__version__}"
    assert bring("--check") == (0, f"{docs / PLACE} is up to date: {whole}\n")


def test_before_the_first_copy_a_check_fails(docs: Path, bring: Bring) -> None:
    status, told = bring("--check")
    assert status == 1
    assert "3 files differ" in told
    assert not (docs / PLACE).exists()


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("sim.js", b"somebody's", "is none that pysims wrote: move it away"),
        ("runtime/heap.bin", b"", "is none that pysims wrote: move it away"),
    ],
)
def test_a_file_of_somebody_else_is_never_overwritten(
    docs: Path, bring: Bring, name: str, content: bytes, why: str
) -> None:
    path = docs / PLACE / name
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    status, told = bring()
    assert status == 2
    assert told.startswith(f"pysims: {path} {why}")
    assert there(docs) == {name: content}, "nothing was written before the refusal"


@pytest.mark.parametrize("name", ["sim.js", "runtime/code.111.js"])
def test_a_file_that_was_changed_since_is_neither_replaced_nor_deleted(
    docs: Path, bring: Bring, upgrade: Callable[[], None], name: str
) -> None:
    bring()
    (docs / PLACE / name).write_bytes(b"by hand")
    upgrade()
    status, told = bring()
    assert status == 2
    assert told.startswith(f"pysims: {docs / PLACE / name} was changed since: move it away")
    assert there(docs) == OLD | {name: b"by hand"}


def test_what_was_interrupted_is_completed(
    docs: Path, bring: Bring, upgrade: Callable[[], None]
) -> None:
    bring()
    known = (docs / PLACE / MANIFEST).read_bytes()
    upgrade()
    bring()
    # As if the power had failed between the files and the list of them.
    (docs / PLACE / MANIFEST).write_bytes(known)
    (docs / PLACE / "runtime/code.222.js").unlink()
    assert bring()[0] == 0
    assert there(docs) == NEW
    assert bring("--check")[0] == 0


def test_a_deleted_file_comes_back(docs: Path, bring: Bring) -> None:
    bring()
    (docs / PLACE / "sim.js").unlink()
    assert bring("--check")[0] == 1
    assert bring()[0] == 0
    assert there(docs) == OLD


def test_a_folder_in_the_way_is_named(docs: Path, bring: Bring) -> None:
    (docs / PLACE / "sim.js").mkdir(parents=True)
    status, told = bring()
    assert status == 2
    assert "sim.js is a folder, and pysims has a file of that name" in told


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "is damaged: delete the folder"),
        ("[]", "is damaged: delete the folder"),
        ('{"files": []}', "is damaged: delete the folder"),
        ('{"files": {"sim.js": 5}}', "names what pysims did not write"),
        ('{"files": {"../index.md": "00"}}', "names what pysims did not write"),
        ('{"files": {"/etc/hosts": "00"}}', "names what pysims did not write"),
    ],
)
def test_a_list_that_is_not_ours_deletes_nothing(
    docs: Path, bring: Bring, text: str, sentence: str
) -> None:
    (docs / PLACE).mkdir(parents=True)
    (docs / PLACE / MANIFEST).write_text(text, "utf-8")
    (docs / "assets" / "index.md").write_text("a page", "utf-8")
    status, told = bring()
    assert status == 2
    assert sentence in told
    assert (docs / "assets" / "index.md").exists()
    assert there(docs) == {}


def test_without_a_folder_of_pages_there_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["assets", str(tmp_path / "no")]) == 2
    assert "no is no folder: name the one that holds your pages" in capsys.readouterr().err


def test_the_list_has_the_version_and_a_digest_of_each_file(docs: Path, bring: Bring) -> None:
    bring()
    known = json.loads((docs / PLACE / MANIFEST).read_text("utf-8"))
    assert known["pysims"] == __version__
    assert set(known["files"]) == set(OLD)
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in known["files"].values())


def test_the_page_has_the_lines_that_the_command_prints_and_this_version() -> None:
    text = PAGE.read_text("utf-8")
    assert f"```yaml\n{MKDOCS}```" in text
    assert f"```toml\n{ZENSICAL}```" in text
    assert set(re.findall(r"survive_chaos-([\d.]+\w*)-py3", text)) == {__version__}
