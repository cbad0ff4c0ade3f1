"""What docs/own-models.md tells a stranger to do, with the built wheel, in an empty folder."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest
from tests.places import ROOT, TINY

if TYPE_CHECKING:
    from pathlib import Path


def block(title: str) -> str:
    """The page's block of code under a title."""
    text = (ROOT / "docs" / "own-models.md").read_text(encoding="utf-8")
    found = re.search(rf"^{re.escape(title)}\n\n```\w+\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


@pytest.fixture
def stranger(
    pytester: pytest.Pytester,
    unpacked_wheel: Path,
    monkeypatch: pytest.MonkeyPatch,
    as_at_home: None,
    warm_python: None,
) -> pytest.Pytester:
    monkeypatch.setenv("PYTHONPATH", str(unpacked_wheel))
    model = pytester.path / "models" / "my_model"
    model.mkdir(parents=True)
    text = block("`models/my_model/model.yaml`:").replace("causal_lm  ", "qwen3_vl  ").replace("bfloat16", "float32")
    (model / "model.yaml").write_text(
        text.replace("/where/the/checkpoint/is", str(TINY / "checkpoint")), encoding="utf-8"
    )
    (pytester.path / "suite.yaml").write_text(block("`suite.yaml`:"), encoding="utf-8")
    (pytester.path / "test_my_model.py").write_text(block("`test_my_model.py`:"), encoding="utf-8")
    return pytester


def test_the_wheel_is_what_runs(stranger: pytest.Pytester, unpacked_wheel: Path) -> None:
    (stranger.path / "conftest.py").write_text(
        "import auto_quantize_model\n\n"
        "def pytest_report_header(config):\n    return f'from {auto_quantize_model.__file__}'\n",
        encoding="utf-8",
    )
    result = stranger.runpytest_subprocess("--collect-only", "-q", "-v")
    result.stdout.fnmatch_lines([f"from {unpacked_wheel}{os.sep}auto_quantize_model*", "*31 tests collected*"])


def test_the_readmes_suite_publishes_and_compares(stranger: pytest.Pytester) -> None:
    first = stranger.runpytest_subprocess("-k", "wfp4_afp8 and small")
    assert first.ret == pytest.ExitCode.TESTS_FAILED
    first.stdout.fnmatch_lines(["to create it: pytest -m gpu . -k *my_model-wfp4_afp8-small* --publish"])
    stranger.runpytest_subprocess("--publish").assert_outcomes(passed=30, skipped=1)
    assert len(list(stranger.path.glob("models/my_model/layer-analysis/*/*/*_quant_manifest.json"))) == 30
    index = (stranger.path / "models" / "my_model" / "layer-analysis" / "README.md").read_text(encoding="utf-8")
    assert "`pytest -m gpu . -k my_model-wfp4_afp8-small --publish`" in index
    again = stranger.runpytest_subprocess()
    again.assert_outcomes(passed=60)
    again.stdout.fnmatch_lines(["30 cases: 30 identical"])


def test_an_own_pair_joins_the_built_in_ones(stranger: pytest.Pytester) -> None:
    pair = stranger.path / "conf" / "quant_pair" / "wint4_afp16.yaml"
    pair.parent.mkdir(parents=True)
    pair.write_text(
        "weight: int4\nactivation: fp16\nformat: INT4_BLOCKWISE_WEIGHT_ONLY_CFG\n",
        encoding="utf-8",
    )
    result = stranger.runpytest_subprocess("--collect-only", "-q")
    result.stdout.fnmatch_lines(["*my_model-wint4_afp16-small*", "*34 tests collected*"])
