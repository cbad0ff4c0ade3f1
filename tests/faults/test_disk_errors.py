"""A file system that refuses a step, any one of them, once or from then on: a quota, a stale handle, a broken disk.

Every step of publishing, of writing reports, captured batches and scores, and of reading a baseline is refused in turn,
by Python's own audit events, in one process of its own: a hook for these cannot be taken off again.
"""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.places import ROOT

if TYPE_CHECKING:
    from pathlib import Path

CODES = (errno.EDQUOT, errno.ESTALE, errno.EIO, errno.ENOSPC)
LASTING = (errno.EDQUOT, errno.ENOSPC)
"""What goes on until somebody tidies up; it refuses what writes."""
TRIES = """
import errno, itertools, json, os, shutil, sys
from pathlib import Path
import torch
from auto_quantize_model import InputError, load_suite
from auto_quantize_model.baselines.folders import put_back, replace_folder
from auto_quantize_model.baselines.store import read_baseline
from auto_quantize_model.engine.capture.files import CaptureFiles, DamagedCaptureError
from auto_quantize_model.engine.capture.recording import CapturedBatch
from auto_quantize_model.engine.machine.checked_json import DamagedFileError, read_checked, write_checked
from auto_quantize_model.whole_files import write_files

root, suite = Path(sys.argv[1]), sys.argv[2]
STEPS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.listdir", "os.scandir", "os.chmod"}
left, code, lasting, refused = 0, 0, False, 0

def refuse(event, arguments):
    global left, refused
    if left <= 0 and not (lasting and refused) or event not in STEPS:
        return
    place = str(arguments[0])
    if not place.startswith(str(root)):
        return
    writes = event in ("os.mkdir", "os.rename") or event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)
    left -= 1
    if left == 0 or (lasting and refused and writes):
        refused += 1
        raise OSError(code, os.strerror(code), place)

sys.addaudithook(refuse)
OLD, NEW = ({name: word * 2000 for name in ("a.json", "b.md")} for word in ("old\\n", "new\\n"))
folder = root / "layer-analysis" / "pair" / "run"
models = Path(suite).parent.parent / "models"
(root / "models" / "qwen3_vl_tiny").mkdir(parents=True)
shutil.copy(models / "qwen3_vl_tiny" / "model.yaml", root / "models" / "qwen3_vl_tiny")
chosen = load_suite(suite, models_root=root / "models", overrides=["suite.models=[qwen3_vl_tiny]"])
CASE = chosen.select("wint8_afp16 and small")[0]
shutil.copytree(models / CASE.run_folder, root / "models" / CASE.run_folder)

def batch(value):
    return CapturedBatch(torch.full((3,), value), torch.zeros(()), {"g": torch.ones(4, 6)}, {"l": [torch.ones(4, 5)]})

def captures():
    return CaptureFiles(root / "captures", ["x"], {"model": "x"})

def published():
    put_back(root, folder)
    return {path.name: path.read_text() for path in folder.iterdir()}

class Target:
    def __init__(self, write, read, old, new):
        self.write, self.read, self.old, self.new = write, read, old, new

TARGETS = {
    "publish": Target(lambda value: replace_folder(root, folder, value), published, OLD, NEW),
    "report": Target(
        lambda value: write_files(root / "report", value),
        lambda: {path.name: path.read_text() for path in (root / "report").glob("[!.]*")},
        {"a.json": "old"}, {"a.json": "new"},
    ),
    "capture": Target(
        lambda value: captures().write(0, batch(value)), lambda: float(captures().read_head(0).maxima[0]), 1.0, 2.0
    ),
    "scores": Target(
        lambda value: write_checked(root / "scores.json", value), lambda: read_checked(root / "scores.json"), 1, 2
    ),
    "baseline": Target(lambda _: read_baseline(CASE), lambda: read_baseline(CASE)["case"]["id"], CASE.id, CASE.id),
}

found = []
for name, target in TARGETS.items():
    for lasting in (False, True):
        for code in json.loads(sys.argv[4 if lasting else 3]):
            for step in itertools.count(1):
                left, refused = 0, 0
                target.write(target.old)
                left, said, kind = step, None, None
                try:
                    target.write(target.new)
                except (InputError, DamagedCaptureError, DamagedFileError, OSError) as error:
                    said, kind = str(error), type(error).__name__
                was_refused, left, refused = refused, 0, 0
                state = target.read()
                found.append([name, lasting, code, said, kind, state == target.old, state == target.new])
                if not was_refused:
                    break
                assert step < 500
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[list[Any]]:
    folder: Path = tmp_path_factory.mktemp("refused").resolve()
    suite = str(ROOT / "sensitivity_cases" / "suite.yaml")
    arguments = [str(folder), suite, json.dumps(CODES), json.dumps(LASTING)]
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", TRIES, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    result: list[list[Any]] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize("target", ["publish", "report", "capture", "scores", "baseline"])
def test_what_is_on_the_disk_is_old_or_new_and_whole_and_one_line_says_why(found: list[list[Any]], target: str) -> None:
    tries = [each for each in found if each[0] == target]
    assert {(lasting, code) for _, lasting, code, *_ in tries} == {
        *((False, code) for code in CODES),
        *((True, code) for code in LASTING),
    }
    for _, _, code, said, kind, is_old, is_new in tries:
        assert is_old or is_new
        assert said is not None or is_new
        if said is not None:
            # The scores' writer lets its caller say it.
            assert kind == ("OSError" if target == "scores" else "InputError"), said
            assert os.strerror(code) in said
            assert "\n" not in said
    told = [said for *_, said, _, _, _ in tries if said is not None]
    assert len(told) > len(CODES)
