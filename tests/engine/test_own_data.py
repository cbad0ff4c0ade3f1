"""Data of one's own through the real engine: what a caption is read from changes no score, a chat template is heard."""

from __future__ import annotations

import copy
import dataclasses
import json
import shutil
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
import torch
import transformers.utils.chat_template_utils as templates
from pyarrow import parquet
from tests.places import ROOT, TINY

from auto_quantize_model import InputError, load_suite, run_cases
from auto_quantize_model.captions.samples import Chat, Message
from auto_quantize_model.engine.capture.batches import tokenize
from auto_quantize_model.manifest.document import check_manifest, dumps
from auto_quantize_model.plan import BatchRange, plan_passes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CAPTIONS = (ROOT / "sensitivity_cases" / "data" / "embedded_captions_small.txt").read_text("utf-8").splitlines()[:12]
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{{ strftime_now('%Y') }}"
)
CHATS = [
    [{"role": "user", "content": f"Say it again:\n{caption}"}, {"role": "assistant", "content": caption}]
    for caption in CAPTIONS
]
DATASETS = {
    "lines": "files: [captions.txt]\n",
    "records": "files: [captions.jsonl]\ntext_key: body\n",
    "table": "files: [captions.parquet]\ntext_key: body\n",
    "chats": "files: [captions.jsonl]\nmessages_key: messages\n",
    "chat_table": "files: [captions.parquet]\nmessages_key: messages\n",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite of the embedded model, with a chat template put beside a copy of its tokenizer."""
    root = tmp_path_factory.mktemp("own")
    shutil.copytree(TINY / "checkpoint", root / "models" / "one" / "checkpoint")
    (root / "models" / "one" / "checkpoint" / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")
    _write(root / "models" / "one" / "model.yaml", "family: qwen3_vl\ndtype: float32\n")
    _write(root / "suite.yaml", "models: [one]\npairs: [wfp8_afp8]\nsizes: {smoke: 4, c12: 12}\ndataset: lines\n")
    for name, text in DATASETS.items():
        _write(root / "conf" / "dataset" / f"{name}.yaml", text)
    records = [{"body": caption, "messages": chat} for caption, chat in zip(CAPTIONS, CHATS, strict=True)]
    _write(root / "captions.txt", "\n".join(CAPTIONS))
    _write(root / "captions.jsonl", "\n".join(map(json.dumps, records)))
    parquet.write_table(pa.Table.from_pylist(records), root / "captions.parquet")
    return root


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def manifests(place: Path, dataset: str, *overrides: str, **named: Any) -> list[dict[str, Any]]:
    suite = load_suite(place / "suite.yaml", overrides=[f"suite.dataset={dataset}", *overrides])
    results = list(run_cases(suite.cases, device="cpu", **named))
    assert not [result.error for result in results if result.error]
    made = [dict(result.manifest or {}) for result in results]
    for manifest in made:
        check_manifest(manifest)
    return made


def without_dataset(manifest: Mapping[str, Any]) -> str:
    rest = copy.deepcopy(dict(manifest))
    del rest["dataset"]
    return dumps(rest)


def test_texts_score_to_the_byte_as_lines_do(place: Path) -> None:
    lines = manifests(place, "lines")
    for dataset in ("records", "table"):
        theirs = manifests(place, dataset)
        assert list(map(without_dataset, theirs)) == list(map(without_dataset, lines))
        assert theirs[0]["dataset"] == {
            "name": dataset,
            "captions": "captions.jsonl" if dataset == "records" else "captions.parquet",
            "form": "text",
            "key": "body",
            "max_calib_samples": None,
            "seq_len": 512,
            "padding_side": "left",
        }
    assert set(lines[0]["dataset"]) == {"name", "captions", "max_calib_samples", "seq_len", "padding_side"}
    assert [each["calibration"]["calibrated_samples"] for each in lines] == [4, 12]


def test_conversations_score_as_what_the_template_makes_of_them(place: Path) -> None:
    chats = manifests(place, "chats")
    rendered = [
        "".join(f"<|im_start|>{each['role']}\n{each['content']}<|im_end|>\n" for each in chat) + "2024"
        for chat in CHATS
    ]
    _write(place / "rendered.jsonl", "\n".join(json.dumps({"text": text}) for text in rendered))
    _write(place / "conf" / "dataset" / "rendered.yaml", "files: [rendered.jsonl]\n")
    texts = manifests(place, "rendered")
    for chat, text in zip(chats, texts, strict=True):
        assert chat["layer_sensitivity"] == text["layer_sensitivity"]
        assert chat["calibration"]["captions_sha256"] != text["calibration"]["captions_sha256"]
        assert (chat["dataset"]["form"], chat["dataset"]["key"]) == ("messages", "messages")
    tables = manifests(place, "chat_table")
    assert list(map(without_dataset, tables)) == list(map(without_dataset, chats))


def test_a_template_that_writes_the_date_gives_the_same_every_day(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = manifests(place, "chats", "suite.sizes.c12=5")

    class Later:
        @staticmethod
        def now() -> Any:
            return SimpleNamespace(strftime=lambda _: "2099, and many more tokens")

    monkeypatch.setattr(templates, "datetime", Later)
    templates._compile_jinja_template.cache_clear()
    assert list(map(dumps, manifests(place, "chats", "suite.sizes.c12=5"))) == list(map(dumps, before))


def test_a_tokenizer_without_a_template_is_one_line(place: Path, tmp_path: Path) -> None:
    suite = load_suite(place / "suite.yaml", overrides=["suite.dataset=chats"])
    with pytest.raises(InputError) as caught:
        list(run_cases(suite.cases, device="cpu", model_paths={"one": TINY / "checkpoint"}))
    assert str(caught.value).startswith("model 'one': its tokenizer has no chat template, which messages need; put")


@pytest.mark.parametrize("template", ["{{ raise_exception('roles must alternate') }}", "{% if %}", "{{ 1 + 'a' }}"])
def test_a_template_that_refuses_is_one_line(place: Path, tmp_path: Path, template: str) -> None:
    shutil.copytree(place / "models" / "one" / "checkpoint", tmp_path / "checkpoint")
    _write(tmp_path / "checkpoint" / "chat_template.jinja", template)
    suite = load_suite(place / "suite.yaml", overrides=["suite.dataset=chats"])
    with pytest.raises(InputError) as caught:
        list(run_cases(suite.cases, device="cpu", model_paths={"one": tmp_path / "checkpoint"}))
    assert str(caught.value).startswith("model 'one': its chat template refuses the conversation 'user: Say it again:")


def test_what_is_measured_on_is_read_as_the_dataset_is(place: Path) -> None:
    (measured, _) = manifests(place, "records", measure="cases", measure_on=place / "captions.parquet")
    (theirs, _) = manifests(place, "lines", measure="cases", measure_on=place / "captions.txt")
    assert measured["measured"]["captions"]["file"] == "captions.parquet"
    del measured["measured"]["captions"]["file"], theirs["measured"]["captions"]["file"]
    assert measured["measured"] == theirs["measured"]


def test_a_template_has_put_the_special_tokens_in_already(place: Path) -> None:
    asked = []

    class Tokenizer:
        pad_token_id = 0
        chat_template = "any"

        def __call__(self, text: str, *, add_special_tokens: bool, **_: Any) -> dict[str, list[int]]:
            asked.append((text, add_special_tokens))
            return {"input_ids": [1, 2, 3]}

        def apply_chat_template(self, messages: list[dict[str, str]], *, tokenize: bool, **_: Any) -> str:
            assert not tokenize
            return f"<s>{messages[0]['content']}"

    (plan,) = plan_passes(load_suite(place / "suite.yaml").select("smoke"))
    captions = ("plain", Chat((Message("user", "said"),)))
    plan = dataclasses.replace(plan, captions=captions, batches=(BatchRange(0, 2),))
    loaded: Any = SimpleNamespace(tokenizer=Tokenizer(), vocabulary=10, positions=None, device=torch.device("cpu"))
    tokenize(plan, loaded)
    assert asked == [("plain", True), ("<s>said", False)]
