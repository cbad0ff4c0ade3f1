"""Inputs that nobody would write, by a seeded generator: each is taken, or refused in one line, and at once.

`FUZZ_INPUTS` says how many there are in all, `FUZZ_SEED` from where they begin: a failure names the one to begin with.
"""

from __future__ import annotations

import functools
import json
import os
import random
import shutil
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.places import ROOT, SUITE, TINY

from auto_quantize_model import CaseError, InputError, load_suite
from auto_quantize_model.artifacts import render_reports
from auto_quantize_model.captions.coco import pick_captions
from auto_quantize_model.captions.reading import read_captions
from auto_quantize_model.captions.samples import Field
from auto_quantize_model.captions.source import CaptionSource
from auto_quantize_model.cases.expression import compile_expression
from auto_quantize_model.cases.overrides import parse_override
from auto_quantize_model.checkpoints.opening import open_checkpoint
from auto_quantize_model.comparison.compare import compare
from auto_quantize_model.engine.capture.files import CaptureFiles, DamagedCaptureError
from auto_quantize_model.engine.capture.kept import kept_captures
from auto_quantize_model.manifest.document import parse_manifest
from auto_quantize_model.manifest.probe_sums import disagreement, parse_probe_sums
from auto_quantize_model.recipes.guarding import committed, drift, solve_committed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from auto_quantize_model.cases.suite import RecipeCase, Suite

    Feed = Callable[[bytes], object]

INPUTS = int(os.environ.get("FUZZ_INPUTS", "5000"))
SEED = int(os.environ.get("FUZZ_SEED", "20261126"))
MOST_SECONDS = 1.0
WORDS = r"""
- : # { } [ ] " ' \\ | &a *a <<: !!timestamp !!python/object:os.system !!binary !!int %YAML --- ... null true NaN
Infinity -1 0 1e999 1e-999 ../ /etc/passwd ~ \ud800 [/b] <script> {size} {0.__class__} models pairs
"schema_version":1, "schema_version":99,
"""
TOKENS = (
    *(word.encode() for word in WORDS.split()),
    *(each * 300 for each in (b"[", b"{a: ", b"not ", b"(", b"9" * 20, b"A" * 40)),
    *(
        b"",
        b"\0",
        b"\n",
        b"\r\n",
        b"\t",
        b" ",
        b"- ",
        b": ",
        b"\x1b[2J",
        b"\xff\xfe",
        b"\xed\xa0\x80",
        "\u202e".encode(),
    ),
)
"""What means something to some parser."""


def mutated(text: bytes, chance: random.Random) -> bytes:
    """One to four changes: of a byte, of a stretch, or by a token that means something somewhere."""
    for _ in range(chance.randint(1, 4)):
        start = chance.randint(0, len(text))
        stop = min(len(text), start + chance.choice((0, 1, 1, 4, 40)))
        match chance.randrange(6):
            case 0:
                text = text[:start] + bytes([chance.randrange(256)]) + text[stop:]
            case 1:
                text = text[:start] + text[stop:]
            case 2:
                text = text[:start] + text[start:stop] * chance.choice((2, 50)) + text[stop:]
            case 3:
                text = text[:start]
            case _:
                text = text[:start] + chance.choice(TOKENS) + text[stop:]
    return text


class Fuzzed:
    """A folder that every input is written into, with what reads it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(SUITE.parent, folder / "cases", ignore=shutil.ignore_patterns("__*__", "*.py"))
        (folder / "models" / TINY.name).mkdir(parents=True)
        shutil.copy(TINY / "model.yaml", folder / "models" / TINY.name)
        (folder / "models" / TINY.name / "checkpoint").symlink_to(TINY / "checkpoint")
        self.suite_file = folder / "cases" / "suite.yaml"
        self.suite_file.write_text("models: [qwen3_vl_tiny]\npairs: [wfp8_afp8]\nsizes: [small]\n", encoding="utf-8")
        self.suite = load_suite(self.suite_file)
        manifest = next(TINY.glob("layer-analysis/*/*wfp8_afp8_lm_small/*_quant_manifest.json"))
        self.manifest = json.loads(manifest.read_bytes())
        self.manifest_text = manifest.read_bytes()

    def targets(self) -> dict[str, tuple[list[bytes], Feed]]:
        annotations = [{"id": number, "image_id": number, "caption": f"caption {number}"} for number in range(4)]
        conf, tiny = SUITE.parent / "conf", TINY / "checkpoint"
        texts = {
            "suite": [self.suite_file.read_bytes(), SUITE.read_bytes()],
            "conf": [file.read_bytes() for file in sorted(conf.glob("quant_pair/*.yaml"))],
            "model": [
                (TINY / "model.yaml").read_bytes(),
                (ROOT / "models" / "smollm2_135m" / "model.yaml").read_bytes(),
            ],
            "override": [
                b"autoquant.batch_size=4",
                b"suite.models=[a, b]",
                b"quant_pair.format={preset: X, quant_cfg: {}}",
            ],
            "expression": [b"tiny and (small or not wint8)", b"a-b and not c"],
            "captions": [(SUITE.parent / "data" / "embedded_captions_small.txt").read_bytes()],
            "records": [b"".join(json.dumps({"text": each}).encode() + b"\n" for each in ("a\nb", "c", "", "d"))],
            "chats": [json.dumps({"messages": [{"role": "user", "content": "a"}] * 3}).encode() * 2],
            "table": [_tabled()],
            "coco": [json.dumps({"annotations": annotations}).encode()],
            "manifest": [self.manifest_text],
            "config": [(tiny / "config.json").read_bytes()],
            "header": [next(tiny.glob("*.safetensors")).read_bytes()[:4000]],
            "capture": [_captured()],
            "dataset": [file.read_bytes() for file in sorted(conf.glob("dataset/*.yaml"))],
            "autoquant": [file.read_bytes() for file in sorted(conf.glob("autoquant/*.yaml"))],
            "recipe": [file.read_bytes() for file in sorted(conf.glob("recipe/*.yaml"))],
            "runtime": [file.read_bytes() for file in sorted(conf.glob("runtime/*.yaml"))],
            "committed": [file.read_bytes() for file in sorted(TINY.glob("recipes/*/recipe.json"))],
            "sums": [file.read_bytes() for file in sorted(TINY.glob("layer-analysis/*/*_small/*.safetensors"))[:2]],
            "about": [json.dumps({"model": "x", "environment": {}, "code": "y"}).encode()],
        }
        return {name: (seeds, getattr(self, f"feed_{name}")) for name, seeds in texts.items()}

    def _written(self, name: str, text: bytes) -> Path:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text)
        return file

    def feed_suite(self, text: bytes) -> object:
        return load_suite(self._written("cases/suite.fuzzed.yaml", text), models_root=self.folder / "models")

    def feed_conf(self, text: bytes) -> object:
        self._written("cases/conf/quant_pair/wfp8_afp8.yaml", text)
        return load_suite(self.suite_file)

    def feed_model(self, text: bytes) -> object:
        shutil.copytree(SUITE.parent / "conf" / "quant_pair", self.folder / "cases/conf/quant_pair", dirs_exist_ok=True)
        self._written(f"models/{TINY.name}/model.yaml", text)
        return load_suite(self.suite_file)

    def feed_override(self, text: bytes) -> object:
        shutil.copy(TINY / "model.yaml", self.folder / "models" / TINY.name)
        typed = text.decode(errors="replace")
        parse_override(typed)
        return load_suite(self.suite_file, overrides=[typed])

    def feed_expression(self, text: bytes) -> object:
        return compile_expression(text.decode(errors="replace"))("qwen3_vl_tiny-wfp8_afp8-small")

    def feed_captions(self, text: bytes) -> object:
        return read_captions(self._written("captions.txt", text))

    def feed_records(self, text: bytes) -> object:
        return CaptionSource((self._written("records.jsonl", text),), Field()).read(3)

    def feed_chats(self, text: bytes) -> object:
        return CaptionSource((self._written("chats.jsonl", text),), Field("messages", "messages")).read()

    def feed_table(self, text: bytes) -> object:
        return CaptionSource((self._written("table.parquet", text),), Field()).read()

    def feed_coco(self, text: bytes) -> object:
        return pick_captions(self._written("captions.json", text), 2, 0)

    def feed_manifest(self, text: bytes) -> object:
        manifest = parse_manifest(text, "fuzzed.json")
        render_reports(manifest)
        return compare(self.manifest, manifest, self.suite.tolerances)

    def feed_dataset(self, text: bytes) -> object:
        self._written("settings/conf/dataset/mine.yaml", text)
        return self._suite_of("settings", "dataset: mine\n")

    def feed_autoquant(self, text: bytes) -> object:
        self._written("settings/conf/autoquant/mine.yaml", text)
        return self._suite_of("settings", "autoquant: mine\n")

    def feed_recipe(self, text: bytes) -> object:
        self._written("recipe/conf/recipe/mine.yaml", text)
        return self._suite_of("recipe", "recipes: [mine]\n")

    def feed_runtime(self, text: bytes) -> object:
        self._written("runtime/conf/runtime/mine.yaml", text)
        recipe = b"budget: {bits: 6}\npairs: [wfp8_afp8]\nsize: small\nruntime: mine\n"
        self._written("runtime/conf/recipe/mine.yaml", recipe)
        return self._suite_of("runtime", "recipes: [mine]\n")

    def _suite_of(self, name: str, more: str) -> Suite:
        suite = f"models: [qwen3_vl_tiny]\npairs: [wfp8_afp8]\nsizes: [small]\n{more}"
        return load_suite(self._written(f"{name}/suite.yaml", suite.encode()), models_root=TINY.parent)

    def feed_committed(self, text: bytes) -> object:
        recipe = self._solved
        self._written(recipe.folder.relative_to(self.folder).joinpath("recipe.json").as_posix(), text)
        document = committed(recipe)
        assert document is not None
        return list(drift(recipe, solve_committed(recipe), document))

    @functools.cached_property
    def _solved(self) -> RecipeCase:
        """A recipe of this folder, whose manifests are here too."""
        root = self.folder / "solved"
        recipe = b"budget: {bits: 6}\npairs: [wfp8_afp8]\nsize: small\n"
        self._written("solved/conf/recipe/mine.yaml", recipe)
        self._written("solved/suite.yaml", self.suite_file.read_bytes() + b"recipes: [mine]\n")
        self._written(f"solved/models/{TINY.name}/model.yaml", (TINY / "model.yaml").read_bytes())
        for folder in TINY.glob("layer-analysis/*/*wfp8_afp8_lm_small"):
            shutil.copytree(folder, root / "models" / TINY.name / folder.relative_to(TINY))
        return load_suite(root / "suite.yaml").recipes[0]

    def feed_sums(self, text: bytes) -> object:
        return disagreement(self.manifest, parse_probe_sums(text, "fuzzed.safetensors"))

    def feed_config(self, text: bytes) -> object:
        folder = self.folder / "checkpoint"
        if not folder.exists():
            shutil.copytree(TINY / "checkpoint", folder)
        self._written("checkpoint/config.json", text)
        return open_checkpoint(folder)

    def feed_header(self, text: bytes) -> object:
        folder = self.folder / "header"
        folder.mkdir(exist_ok=True)
        shutil.copy(TINY / "checkpoint" / "config.json", folder)
        self._written("header/model.safetensors", text)
        return open_checkpoint(folder)

    def feed_capture(self, text: bytes) -> object:
        self._written("capture/x.safetensors", text)
        files = CaptureFiles(self.folder / "capture", ["x"], {"model": "x"})
        return files.read_head(0), files.read_part(0, ["group", "layer"])

    def feed_about(self, text: bytes) -> object:
        self._written("kept/one/about.json", text)
        return kept_captures(self.folder / "kept")


def _tabled() -> bytes:
    """The bytes of a small table."""
    import io

    import pyarrow as pa
    from pyarrow import parquet

    file = io.BytesIO()
    parquet.write_table(pa.table({"text": ["a dog", "a cat"], "n": [1, 2]}), file)
    return file.getvalue()


def _captured() -> bytes:
    """The bytes of a captured batch."""
    import tempfile
    from pathlib import Path

    import torch

    from auto_quantize_model.engine.capture.recording import CapturedBatch

    with tempfile.TemporaryDirectory() as name:
        files = CaptureFiles(Path(name), ["x"], {"model": "x"})
        gradients = [torch.ones(2, 3), torch.ones(2, 3)]
        files.write(0, CapturedBatch(torch.ones(1), torch.zeros(()), {"group": torch.ones(2, 3)}, {"layer": gradients}))
        return Path(name, "x.safetensors").read_bytes()


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Fuzzed:
    return Fuzzed(tmp_path_factory.mktemp("fuzzed"))


READERS = ("suite", "conf", "dataset", "autoquant", "model", "override", "expression", "coco", "manifest")
READERS_OF_CAPTIONS = ("captions", "records", "chats", "table")
READERS_OF_RECIPES = ("recipe", "runtime", "committed", "sums")
READERS_OF_FILES = ("config", "header", "capture", "about")
TARGETS = (*READERS, *READERS_OF_CAPTIONS, *READERS_OF_RECIPES, *READERS_OF_FILES)


@pytest.mark.parametrize("name", TARGETS)
def test_every_input_is_taken_or_refused_in_one_line(fuzzed: Fuzzed, name: str) -> None:
    seeds, feed = fuzzed.targets()[name]
    outside = set(_outside(fuzzed.folder))
    refused = 0
    for number in range(INPUTS // len(TARGETS) + 1):
        chance = random.Random(f"{SEED}-{name}-{number}")  # noqa: S311  no secret
        text = mutated(chance.choice(seeds), chance)
        began = time.process_time()
        try:
            feed(text)
        except (InputError, CaseError, DamagedCaptureError) as error:
            refused += 1
            said = str(error)
        except Exception as error:  # noqa: BLE001  what the test is about
            said = f"input {number} of '{name}': {type(error).__name__}: {str(error)[:500]}"
            pytest.fail(f"{said}\n{text[:500]!r}", pytrace=False)
        else:
            said = ""
        assert said.isprintable(), (number, said)
        assert time.process_time() - began < MOST_SECONDS, (number, text[:200])
    # A folder that does not say that it is a capture is none of the listing's business.
    assert refused > 0 or name == "about"
    assert set(_outside(fuzzed.folder)) == outside


def _outside(folder: Path) -> Iterator[Any]:
    """What lies around the folder that inputs may be written into."""
    yield from folder.parent.iterdir()
