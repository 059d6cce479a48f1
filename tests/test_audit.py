"""The audit: what the tools print becomes a pass only if every package was asked about."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.audit import Answer, answers, of_npm, of_python, report

CLEAN = json.dumps({"dependencies": [{"name": "jinja2", "version": "3.1.6", "vulns": []}]})
NPM_CLEAN = json.dumps({"vulnerabilities": {}, "metadata": {"dependencies": {"total": 7}}})


def told(python: str, npm: str) -> list[Answer]:
    def ask(command: Sequence[str], folder: Path) -> str:
        assert (
            folder / (command[2] if command[0] == "pip-audit" else "package-lock.json")
        ).exists()
        return python if command[0] == "pip-audit" else npm

    return list(answers(ask))


def test_everything_asked_and_nothing_known_is_a_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(told(CLEAN, NPM_CLEAN)) == 0
    assert "No locked package is known to be vulnerable." in capsys.readouterr().out


def test_what_is_known_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    each = {"id": "PYSEC-1", "fix_versions": ["3.1.7"]}
    bad = json.dumps({"dependencies": [{"name": "jinja2", "version": "3.1.6", "vulns": [each]}]})
    assert report(told(bad, NPM_CLEAN)) == 1
    assert "jinja2 3.1.6: PYSEC-1, mended in 3.1.7" in capsys.readouterr().out
    npm = {"ws": {"severity": "high", "range": "<8.17.1"}}
    found = of_npm(
        "package-lock.json", json.dumps({**json.loads(NPM_CLEAN), "vulnerabilities": npm})
    )
    assert found.known == ("ws <8.17.1: high",)


@pytest.mark.parametrize(
    ("python", "npm"),
    [
        ("pip-audit is not installed", NPM_CLEAN),
        ("ConnectionError: no route", NPM_CLEAN),
        ("", NPM_CLEAN),
        ('{"dependencies": []}', NPM_CLEAN),
        (CLEAN, "npm error audit endpoint returned an error"),
        (CLEAN, '{"message": "405 Method Not Allowed", "statusCode": 405}'),
        (CLEAN, '{"vulnerabilities": {}, "metadata": {"dependencies": {"total": 0}}}'),
        (CLEAN, "[1]"),
    ],
)
def test_what_could_not_be_asked_is_no_pass(
    python: str, npm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(told(python, npm)) == 2
    said = capsys.readouterr().out
    assert "NOT ASKED" in said
    assert "is known to be vulnerable" not in said


def test_a_package_that_the_service_does_not_know_was_not_asked_about() -> None:
    packages = [*json.loads(CLEAN)["dependencies"], {"name": "odd", "skip_reason": "not found"}]
    found = of_python("requirements.lock", json.dumps({"dependencies": packages}))
    assert (found.asked, found.unasked) == (1, "the service does not know odd")
    assert report([found]) == 2
