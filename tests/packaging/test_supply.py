"""What CI installs and may do: nothing without a hash or a reason, and no right that it does not need."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.places import ROOT

if TYPE_CHECKING:
    from pathlib import Path

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yaml"))
RIGHTS = {("release", "attest"): {"attestations", "id-token"}, ("release", "publish"): {"id-token"}}
"""What a job may write."""


def jobs(file: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"]
    return found


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_a_job_may_write_only_what_it_is_there_for(file: Path) -> None:
    workflow = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert workflow["permissions"] in ({}, {"contents": "read"})
    for name, job in jobs(file).items():
        rights = job.get("permissions", {})
        writes = {right for right, level in rights.items() if level != "read"}
        assert writes == RIGHTS.get((file.stem, name), set()), name
        # What runs the project's code, or a pull request's, has no right to sign or to publish.
        assert not writes or not any("run" in step for step in job["steps"])


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_a_pull_request_finds_nothing_to_take(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert "pull_request_target" not in text
    assert "secrets." not in text
    checkouts = [step for job in jobs(file).values() for step in job["steps"] if "checkout" in step.get("uses", "")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)
    # What somebody names a branch or a title would be run by the shell.
    assert not re.search(r"run:.*\$\{\{", text)


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_cis_own_tools_are_installed_by_hash(file: Path) -> None:
    commands = [step["run"] for job in jobs(file).values() for step in job["steps"] if "run" in step]
    installs = [command for command in commands if "pip install" in command]
    assert installs
    assert set(installs) == {"pip install --require-hashes -r .ci/tools.txt"}


def test_every_tool_has_its_hashes() -> None:
    lines = (ROOT / ".ci" / "tools.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line for line in (ROOT / ".ci" / "tools.in").read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    pinned = {line.partition("==")[0]: number for number, line in enumerate(lines) if line[:1].isalnum()}
    assert set(wanted) <= set(pinned)
    assert all(re.fullmatch(r" +--hash=sha256:[0-9a-f]{64}( \\)?", lines[number + 1]) for number in pinned.values())
    # Where they come from is the reader's choice.
    assert not [line for line in lines if line.startswith("--")]


def test_security_says_which_tests_hold_it_up() -> None:
    named = re.findall(r"`(tests/\S+\.py)`", (ROOT / "SECURITY.md").read_text(encoding="utf-8"))
    assert named
    assert all((ROOT / name).is_file() for name in named)
