from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_quantize_model.summary.github import append_job_summary, error_commands, summary_lines
from auto_quantize_model.summary.record import Record

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plugin.projects import Project

HOSTILE = "a|b\n<script>alert(1)</script>\x1b[31m::error::x"
INSIDE = {"GITHUB_ACTIONS": "true"}


def record(name: str = "case", outcome: str = "failed", **values: object) -> Record:
    made = Record(case=name, model="m", pair="p", size="small", suite="s", verdict="drift", outcome=outcome)
    for key, value in values.items():
        setattr(made, key, value)
    return made


def test_a_failed_case_is_annotated_where_github_runs_it() -> None:
    records = [record(reason="total moved by 5%"), record("fine", "passed")]
    assert list(error_commands(records, INSIDE)) == ["::error title=case%3A drift::total moved by 5%25"]
    assert list(error_commands(records, {})) == []
    assert len(list(error_commands([record()] * 30, INSIDE))) == 10


@given(st.text() | st.just(HOSTILE))
def test_no_name_begins_another_command(name: str) -> None:
    (line,) = error_commands([record(name, reason=name)], INSIDE)
    assert line.isprintable()
    title, _, _ = line.removeprefix("::error title=").partition("::")
    assert ":" not in title.replace("%3A", "")
    assert not re.search(r"%(?!25|3A|2C)", line)


def test_the_jobs_summary_is_added_to(tmp_path: Path) -> None:
    file = tmp_path / "summary.md"
    file.write_text("before\n", encoding="utf-8")
    fine = record("fine", "passed", bits=8.0, measured_kl=5.7e-5, costliest=["layer 0 down"])
    environment = {"GITHUB_STEP_SUMMARY": str(file)}
    assert append_job_summary([fine, record(HOSTILE, costliest=[HOSTILE], worst_group=HOSTILE)], environment) is None
    text = file.read_text(encoding="utf-8")
    assert text.startswith("before\n### Quantization sensitivity: 1 of 2 cases failed")
    rows = [re.split(r"(?<!\\)\|", line) for line in text.splitlines() if line.startswith("|")]
    assert {len(row) for row in rows} == {8}
    assert rows[3][1:6] == ["fine", "drift", "8", "57 micronats", "layer 0 down"]
    assert "<script" not in re.sub(r"`[^`]*`", "", text)
    assert all(line.isprintable() for line in text.splitlines())
    assert append_job_summary([fine], {}) is None
    assert "cannot be written" in str(append_job_summary([fine], {"GITHUB_STEP_SUMMARY": str(tmp_path)}))
    assert len(list(summary_lines([fine] * 1000))) < 510


def test_junit_and_github_of_a_session(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project.root / "job.md"))
    result = project.run("--junit-xml", "junit.xml")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.stdout.str().count("::error title=") == 2
    assert "2 of 2 cases failed" in (project.root / "job.md").read_text(encoding="utf-8")
    tree = ET.parse(project.root / "junit.xml")  # noqa: S314  what the session wrote
    properties = [(each.get("name"), each.get("value")) for each in tree.iter("property")]
    assert properties.count(("sensitivity_verdict", "new")) == 2
    assert {"sensitivity_kl", "sensitivity_costliest"} <= {name for name, _ in properties}
