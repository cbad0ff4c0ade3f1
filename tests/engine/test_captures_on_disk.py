"""Captured tensors in memory, on disk, kept and shared: always the same manifest, byte for byte."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from filelock import FileLock
from tests.places import ROOT, SUITE

from auto_quantize_model import CaptureSettings, InputError, load_suite, run_cases
from auto_quantize_model.engine import loaded_pass, one_pass
from auto_quantize_model.engine.capture import kept
from auto_quantize_model.engine.capture.kept import kept_captures
from auto_quantize_model.engine.capture.recording import Recorder
from auto_quantize_model.engine.machine.sharing import do_each_once
from auto_quantize_model.engine.memory import MemoryPlan
from auto_quantize_model.engine.replay import replay as replay_module
from auto_quantize_model.manifest.document import dumps

if TYPE_CHECKING:
    from collections.abc import Callable

    from auto_quantize_model import Suite

EXPRESSION = "wint8_aint8 or wmxfp4_afp8"
COCO = Path(os.environ.get("COCO_CAPTIONS", ROOT.parent / "shared" / "data"))
SHARING = """
import sys
from pathlib import Path
from auto_quantize_model import CaptureSettings, load_suite, run_cases
from auto_quantize_model.manifest.document import dumps
suite, models, shared, out = sys.argv[1:]
cases = load_suite(suite, models_root=models, overrides=["suite.models=[llama]"]).select({expression!r})
for result in run_cases(cases, device="cpu", captures=CaptureSettings(shared=Path(shared))):
    Path(out, result.case.id + ".json").write_text(dumps(result.manifest), encoding="utf-8")
"""


def manifests(suite: Suite, expression: str = EXPRESSION, **settings: Any) -> dict[str, str]:
    results = run_cases(suite.select(expression), device="cpu", **settings)
    return {result.case.id: dumps(result.manifest) if result.manifest else str(result.error) for result in results}


@pytest.fixture(scope="module")
def in_memory(llama_suite: Callable[..., Suite]) -> dict[str, str]:
    return manifests(llama_suite())


def test_on_disk_the_manifests_are_the_same_bytes(
    llama_suite: Callable[..., Suite], in_memory: dict[str, str], tmp_path: Path
) -> None:
    lines: list[str] = []
    captures = CaptureSettings(memory=0, folder=tmp_path)
    assert manifests(llama_suite(), captures=captures, notice=lines.append) == in_memory
    assert any(line.startswith("memory: captured tensors ") and line.endswith(" MB on disk") for line in lines)
    assert not list(tmp_path.iterdir()), "what is not to be kept is gone"


@pytest.mark.skipif(not COCO.is_dir(), reason="no real captions beside the checkout; COCO_CAPTIONS names their folder")
def test_real_captions_give_the_same_bytes_in_memory_and_on_disk(tmp_path: Path) -> None:
    overrides = [
        "suite.models=[qwen3_vl_tiny]",
        f"dataset.root={COCO}",
        "dataset.captions_path=coco2017_captions_{size}.txt",
    ]
    suite = load_suite(SUITE, overrides=overrides)
    expected = manifests(suite, "wfp8_afp8 or wfp4_afp16")
    assert len(expected) == 6
    assert manifests(suite, "wfp8_afp8 or wfp4_afp16", captures=CaptureSettings(memory=0, folder=tmp_path)) == expected


def test_a_part_in_memory_and_the_rest_on_disk(
    llama_suite: Callable[..., Suite], in_memory: dict[str, str], tmp_path: Path
) -> None:
    captures = CaptureSettings(memory=5_000_000, folder=tmp_path)
    lines: list[str] = []
    assert manifests(llama_suite(), captures=captures, notice=lines.append) == in_memory
    assert any("in memory" in line and "on disk" in line for line in lines)


class TestKept:
    @pytest.fixture
    def folder(self, llama_suite: Callable[..., Suite], tmp_path: Path) -> Path:
        """The captures of the small size, kept."""
        manifests(llama_suite(), "small", captures=CaptureSettings(keep=True, folder=tmp_path))
        (found,) = kept_captures(tmp_path)
        assert (found.model, found.batches, found.stale) == ("llama", 2, False)
        return found.folder

    @pytest.fixture
    def captured_batches(self, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
        """One entry a batch that is really run through the model."""
        seen: list[bool] = []
        real = Recorder.record

        def counted(self: Recorder, batches: Any, *, scoring: bool) -> Any:
            seen.extend([scoring] * len(batches))
            return real(self, batches, scoring=scoring)

        monkeypatch.setattr(Recorder, "record", counted)
        return seen

    def again(self, suite: Suite, folder: Path, expression: str) -> tuple[dict[str, str], list[str]]:
        lines: list[str] = []
        captures = CaptureSettings(keep=True, folder=folder.parent)
        return manifests(suite, expression, captures=captures, notice=lines.append), lines

    def test_what_a_killed_capture_left_half_written_goes(
        self, llama_suite: Callable[..., Suite], folder: Path
    ) -> None:
        batch = next(folder.glob("*-scored-2.safetensors"))
        parts = [folder / f".{batch.name}.{name}.part" for name in ("dead", "alive")]
        for part in parts:
            part.write_bytes(b"half")
        self.again(llama_suite(), folder, "small and wint8_aint8")
        assert not any(part.exists() for part in parts)
        parts[1].write_bytes(b"half")
        with FileLock(batch.with_suffix(".lock")):
            self.again(llama_suite(), folder, "small and wint8_aint8")
        assert parts[1].exists(), "who holds the batch's lock is still writing"

    def test_another_pair_costs_a_replay_only(
        self, llama_suite: Callable[..., Suite], folder: Path, captured_batches: list[bool], in_memory: dict[str, str]
    ) -> None:
        found, lines = self.again(llama_suite(), folder, "small and wint8_aint8")
        assert captured_batches == []
        assert found == {case: in_memory[case] for case in found}
        assert any(line.startswith("capture: 2 of 2 batches were there") for line in lines)

    def test_a_larger_size_captures_what_it_has_more(
        self, llama_suite: Callable[..., Suite], folder: Path, captured_batches: list[bool], in_memory: dict[str, str]
    ) -> None:
        found, _ = self.again(llama_suite(), folder, EXPRESSION)
        assert found == in_memory
        assert len(captured_batches) == 62
        assert captured_batches.count(True) == 14

    @pytest.mark.parametrize("change", ["autoquant.batch_size=4", "dataset.padding_side=right", "model.dtype=bfloat16"])
    def test_what_a_capture_depends_on_makes_another(
        self, llama_suite: Callable[..., Suite], folder: Path, captured_batches: list[bool], change: str
    ) -> None:
        found, _ = self.again(llama_suite(change), folder, "small and wint8_aint8")
        assert captured_batches
        assert found == manifests(llama_suite(change), "small and wint8_aint8")

    def test_another_configuration_of_the_same_weights_makes_another(
        self, llama_root: Path, tmp_path: Path, captured_batches: list[bool]
    ) -> None:
        shutil.copytree(llama_root, tmp_path / "models")
        suite = load_suite(SUITE, models_root=tmp_path / "models", overrides=["suite.models=[llama]"])
        captures = CaptureSettings(keep=True, folder=tmp_path / "kept")
        manifests(suite, "small and wint8_aint8", captures=captures)
        file = tmp_path / "models" / "llama" / "checkpoint" / "config.json"
        config = json.loads(file.read_text(encoding="utf-8"))
        file.write_text(json.dumps({**config, "rms_norm_eps": 0.1}), encoding="utf-8")
        captured_batches.clear()
        manifests(suite, "small and wint8_aint8", captures=captures)
        assert len(captured_batches) == 2

    def test_other_code_makes_another_and_the_old_is_stale(
        self,
        llama_suite: Callable[..., Suite],
        folder: Path,
        captured_batches: list[bool],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        for module in (loaded_pass, kept):
            monkeypatch.setattr(module, "code_version", lambda: "another")
        self.again(llama_suite(), folder, "small and wint8_aint8")
        assert len(captured_batches) == 2
        assert {each.folder == folder: each.stale for each in kept_captures(folder.parent)} == {
            True: True,
            False: False,
        }

    @pytest.mark.parametrize("damage", ["flip", "cut", "empty", "text"])
    def test_a_damaged_file_is_noticed_and_made_anew(
        self,
        llama_suite: Callable[..., Suite],
        folder: Path,
        captured_batches: list[bool],
        in_memory: dict[str, str],
        damage: str,
    ) -> None:
        file = min(folder.glob("*.safetensors"))
        whole = file.read_bytes()
        flipped = bytearray(whole)
        flipped[-1000] ^= 1
        file.write_bytes({"flip": bytes(flipped), "cut": whole[:-7], "empty": b"", "text": b"x" * 100}[damage])
        found, lines = self.again(llama_suite(), folder, "small and wint8_aint8")
        assert found == {case: in_memory[case] for case in found}
        assert len(captured_batches) == 1
        assert any(str(file) in line and "damaged" in line for line in lines)
        assert file.read_bytes() == whole

    def test_a_folder_that_cannot_be_written_is_one_line(
        self, llama_suite: Callable[..., Suite], tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_text("", encoding="utf-8")
        captures = CaptureSettings(keep=True, folder=tmp_path / "file")
        with pytest.raises(InputError, match=r"captures cannot be written: .*; name another folder"):
            manifests(llama_suite(), "small and wint8_aint8", captures=captures)


@pytest.mark.usefixtures("warm_python")
def test_processes_that_share_a_pass_give_the_same_bytes(
    llama_root: Path, in_memory: dict[str, str], tmp_path: Path
) -> None:
    processes = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        command = [sys.executable, "-c", SHARING.format(expression=EXPRESSION)]
        processes.append(
            subprocess.Popen(  # noqa: S603
                [*command, str(SUITE), str(llama_root), str(tmp_path / "shared"), str(tmp_path / name)],
                cwd=ROOT,
            )
        )
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    for name in ("one", "two"):
        assert {file.stem: file.read_text("utf-8") for file in (tmp_path / name).glob("*.json")} == in_memory
    (scores,) = (tmp_path / "shared").glob("scores-*")
    assert len(list(scores.glob("group-*.json"))) == 8


def test_passes_of_one_session_that_differ_in_their_tokens_share_nothing(
    llama_suite: Callable[..., Suite], tmp_path: Path
) -> None:
    other = llama_suite("dataset.seq_len=6")
    captures = CaptureSettings(shared=tmp_path)
    assert manifests(llama_suite(), "small and wint8_aint8", captures=captures)
    expected = manifests(other, "small and wint8_aint8")
    assert manifests(other, "small and wint8_aint8", captures=captures) == expected


class TestSharing:
    def test_each_unit_is_done_once(self, tmp_path: Path) -> None:
        done: list[int] = []
        begun: list[int] = []

        def begin(unit: int) -> Callable[[], None]:
            begun.append(unit)
            assert len(begun) - len(done) <= 2
            return lambda: done.append(unit)

        do_each_once(range(5), done.__contains__, begin, lambda unit: tmp_path / f"{unit}.lock")
        assert done == begun == [0, 1, 2, 3, 4]

    def test_a_folder_without_locks_is_one_line(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def flock(*_: int) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr("fcntl.flock", flock)
        done: list[int] = []
        with pytest.raises(InputError, match=r"0\.lock: cannot be locked: No locks available; name a folder"):
            do_each_once(range(2), done.__contains__, lambda _: done.clear, lambda unit: tmp_path / f"{unit}.lock")
        assert done == []

    def test_what_a_killed_process_began_is_done_by_another(self, tmp_path: Path) -> None:
        code = (
            "import sys, os, signal\n"
            "from filelock import FileLock\n"
            "lock = FileLock(sys.argv[1])\n"
            "lock.acquire()\n"
            "print('held', flush=True)\n"
            "sys.stdin.read()\n"
        )
        holder = subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", code, str(tmp_path / "1.lock")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        done: list[int] = []

        def begin(unit: int) -> Callable[[], None]:
            if unit == 2:
                holder.kill()
            return lambda: done.append(unit)

        do_each_once(range(3), done.__contains__, begin, lambda unit: tmp_path / f"{unit}.lock")
        holder.communicate()
        assert done == [0, 2, 1]


class TestMemoryThatRunsOut:
    """There is no GPU here, so running out of its memory is played; what follows from it is real."""

    PLANS = (MemoryPlan(1e9, 0, 1 << 20), MemoryPlan(0, 1e9, 1 << 20), MemoryPlan(0, 1e9, 1 << 16))

    @pytest.fixture
    def tight(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
        def fail_first(times: int) -> None:
            left = [times]
            real = replay_module.replay

            def replay(*arguments: Any, **options: Any) -> Any:
                if left[0]:
                    left[0] -= 1
                    raise torch.OutOfMemoryError("CUDA out of memory")
                return real(*arguments, **options)

            monkeypatch.setattr(one_pass, "replay", replay)
            monkeypatch.setattr(one_pass, "plans", lambda *_: list(self.PLANS))

        return fail_first

    def test_the_next_smaller_plan_is_tried(
        self, llama_suite: Callable[..., Suite], in_memory: dict[str, str], tight: Callable[[int], None]
    ) -> None:
        tight(1)
        lines: list[str] = []
        found = manifests(llama_suite(), notice=lines.append)
        assert found == in_memory
        assert [line for line in lines if "out of GPU memory" in line] == [
            "out of GPU memory with captured tensors 27.3 MB in memory; trying a smaller plan"
        ]

    def test_when_no_plan_is_left_one_line_says_what_to_change(
        self, llama_suite: Callable[..., Suite], tight: Callable[[int], None]
    ) -> None:
        tight(3)
        found = manifests(llama_suite(), "small and wint8_aint8")
        (error,) = found.values()
        assert error.startswith("out of GPU memory, with every captured tensor elsewhere: the model takes 1.4 MB")
        assert "lower autoquant.batch_size (now 8)" in error
        assert "\n" not in error
