"""Captions that are records of files: JSON lines and Parquet, texts and conversations."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from auto_quantize_model.captions import json_lines
from auto_quantize_model.captions.samples import Chat, Field, Message, captions_sha256
from auto_quantize_model.captions.source import CaptionSource
from auto_quantize_model.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

TEXT, MESSAGES = Field(), Field("messages", "messages")
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
CHATS = st.lists(st.fixed_dictionaries({"role": TEXTS, "content": TEXTS}), max_size=4)
CHAT = [{"role": "user", "content": "Is it\nraining?"}, {"role": "assistant", "content": "Yes."}]


def of(path: Path, field: Field = TEXT, max_chars: int | None = None) -> CaptionSource:
    return CaptionSource((path,), field, max_chars)


def message(source: CaptionSource, most: int | None = None) -> str:
    with pytest.raises(InputError) as caught:
        source.read(most)
    assert str(caught.value).isprintable()
    return str(caught.value)


def write_lines(path: Path, *records: object) -> Path:
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")
    return path


def write_table(path: Path, **columns: list[Any]) -> Path:
    parquet.write_table(pa.table(columns), path)
    return path


def as_chat(messages: list[dict[str, str]]) -> Chat:
    return Chat(tuple(Message(**each) for each in messages))


@settings(deadline=None)
@given(st.lists(TEXTS, max_size=8), st.sampled_from(["\n", "\r\n", "\n\n"]), st.booleans(), st.booleans())
def test_any_texts_round_trip(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], end: str, mark: bool, escaped: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    lines = [json.dumps({"id": 1, "text": text}, ensure_ascii=escaped) for text in texts]
    path.write_bytes((b"\xef\xbb\xbf" if mark else b"") + end.join(lines).encode())
    expected = [text for text in texts if text.strip()]
    if expected:
        assert of(path).read() == expected
    else:
        assert "no caption in this file" in message(of(path))


@settings(deadline=None, max_examples=40)
@given(st.lists(TEXTS, min_size=1, max_size=8), st.lists(CHATS, min_size=1, max_size=5))
def test_a_table_holds_what_lines_hold(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], chats: list[list[dict[str, str]]]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    texts, chats = [*texts, "last"], [*chats, CHAT]
    lines = write_lines(folder / "same.jsonl", *({"text": text} for text in texts))
    assert of(write_table(folder / "same.parquet", text=texts)).read() == of(lines).read()
    lines = write_lines(folder / "same.jsonl", *({"messages": chat} for chat in chats))
    theirs = of(write_table(folder / "same.parquet", messages=chats), MESSAGES).read()
    assert theirs == of(lines, MESSAGES).read()
    assert theirs == [as_chat(chat) for chat in chats if any(each["content"].strip() for each in chat)]


@given(st.lists(TEXTS, min_size=1, max_size=6), st.lists(TEXTS, min_size=1, max_size=6))
def test_other_texts_have_another_hash(one: list[str], other: list[str]) -> None:
    # A quotation mark is how JSON begins, which texts of several lines are hashed as.
    if one != other and not any(text.startswith('"') for text in (*one, *other)):
        assert captions_sha256(one) != captions_sha256(other)


def test_the_hash_needs_no_tokenizer_and_is_that_of_the_lines() -> None:
    assert captions_sha256(["a dog", "é"]) == hashlib.sha256("a dog\né\n".encode()).hexdigest()
    assert captions_sha256(["a\ndog"]) == hashlib.sha256(b'"a\\ndog"\n').hexdigest()
    assert (
        captions_sha256([as_chat(CHAT[1:])])
        == hashlib.sha256(b'{"messages":[{"role":"assistant","content":"Yes."}]}\n').hexdigest()
    )


def test_files_follow_each_other_and_are_of_any_kind(tmp_path: Path) -> None:
    plain = tmp_path / "c.txt"
    plain.write_text("  from lines  \n\n", encoding="utf-8")
    lines = write_lines(tmp_path / "a.JSONL", {"text": " one\ntwo "}, {"text": " "}, {"text": "three"})
    source = CaptionSource((lines, write_table(tmp_path / "b.parquet", text=["four"]), plain), TEXT)
    assert source.read() == [" one\ntwo ", "three", "four", "from lines"]
    assert source.read(2) == source.read()[:2]
    assert source.name == "a.JSONL, b.parquet, c.txt"


def test_the_key_may_have_any_name(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.ndjson", {"text": "no", "body.en": "yes"})
    assert of(path, Field("body.en")).read() == ["yes"]
    assert of(write_table(tmp_path / "a.parquet", body=["yes"], text=["no"]), Field("body")).read() == ["yes"]


def test_a_table_need_not_say_what_no_message_has(tmp_path: Path) -> None:
    chats = [[{"role": "user", "content": "Hi.", "name": None}]]
    assert of(write_table(tmp_path / "a.parquet", messages=chats), MESSAGES).read() == [Chat((Message("user", "Hi."),))]


def test_nothing_is_read_behind_the_captions_that_are_needed(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", *({"text": f"caption {number}"} for number in range(5)))
    os.truncate(path, 20 * 2**30)  # a hole, which takes no space
    assert len(of(path).read(5)) == 5
    assert message(of(path), 6) == f"{path}: line 6 is longer than 64 MiB; JSON lines have an object a line"


def test_a_table_is_read_a_part_at_a_time(tmp_path: Path) -> None:
    path = write_table(tmp_path / "a.parquet", text=[f"caption {number}" for number in range(3000)] + [""] * 10)
    assert of(path).read(2500)[-1] == "caption 2499"
    assert len(of(path).read()) == 3000


def test_longer_captions_do_not_count(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", *({"text": "x" * number} for number in (3, 9, 5, 10, 4)))
    assert [len(str(each)) for each in of(path, max_chars=5).read()] == [3, 5, 4]
    with pytest.raises(InputError, match="needs 4 captions, but the file has 3 of at most 5 characters; add captions"):
        of(path, max_chars=5).first(4, "smoke")
    assert message(of(path, max_chars=2)) == f"{path}: no caption of at most 2 characters; raise dataset.max_chars"
    chats = write_lines(tmp_path / "b.jsonl", {"messages": CHAT}, {"messages": CHAT[1:]})
    assert of(chats, MESSAGES, max_chars=4).read() == [as_chat(CHAT[1:])]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", "no caption in this file"),
        ("\n \n", "no caption in this file"),
        ('{"text": "\\n "}\n', "no caption in this file"),
        ('{"text": "a"}\n{"txt": "b"}\n', "line 2: no key 'text'; did you mean 'txt'?; dataset.text_key names the one"),
        ('\n{"text": 5}\n', "line 2: 'text' is a number, not a text"),
        ('{"text": null}\n', "line 1: 'text' is null, not a text"),
        ('{"text": true}\n', "line 1: 'text' is true, not a text"),
        ('{"text": ["a"]}\n', "line 1: 'text' is a list, not a text"),
        ('{"text": "a\\ud800"}\n', "line 1: 'text' is not valid Unicode text"),
        ('[{"text": "a"}]\n', "line 1: a list; JSON lines have an object a line"),
        ('"a dog"\n', "line 1: no object; JSON lines have an object a line"),
        ("a dog\n", "line 1: not JSON: Expecting value at column 1; JSON lines have an object a line"),
        ('{"text": "a"}\r{"text": "b"}', "line 1: not JSON: Extra data at column 15"),
        ('{"text": ' + "[" * 100_000, "line 1: not JSON: "),
        ('{"text": ' + "9" * 10_000 + "}", "line 1: not JSON: "),
    ],
)
def test_a_wrong_line_is_told_with_its_number(tmp_path: Path, content: str, what: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(content.encode())
    assert message(of(path)).startswith(f"{path}: {what}")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b'\n{"text": "ca\xf1on"}\n', "line 2: byte 0xf1 at offset 12 is not UTF-8; save the file as UTF-8"),
        ('{"text": "a"}'.encode("utf-16"), "line 1: byte 0xff at offset 0 is not UTF-8; save the file as UTF-8"),
    ],
)
def test_what_is_not_utf8_is_told_with_its_place(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    assert message(of(path)) == f"{path}: {what}"


@pytest.mark.parametrize(
    ("messages", "what"),
    [
        ("Hi.", "'messages' is a text, not a list of messages"),
        (["Hi."], "'messages[0]' is a text, not a message with role and content"),
        ([CHAT[0], {"content": "Hi."}], "'messages[1]' has no 'role'; a message has role and content"),
        ([{"role": "user"}], "'messages[0]' has no 'content'; a message has role and content"),
        ([{"role": 5, "content": "Hi."}], "'messages[0].role' is a number, not a text"),
        ([{"role": "user", "content": [{"type": "text"}]}], "'messages[0].content' is a list, not a text"),
        (
            [{"role": "user", "content": "Hi.", "tool_calls": [1]}],
            "'messages[0]' has 'tool_calls' too; a message has role and content, and nothing else",
        ),
    ],
)
def test_a_wrong_conversation_is_told_with_its_place(tmp_path: Path, messages: object, what: str) -> None:
    path = write_lines(tmp_path / "a.jsonl", {"messages": CHAT}, {"messages": messages})
    assert message(of(path, MESSAGES)) == f"{path}: line 2: {what}"


def test_an_empty_conversation_does_not_count(tmp_path: Path) -> None:
    blank = [{"role": "system", "content": " "}]
    path = write_lines(tmp_path / "a.jsonl", {"messages": []}, {"messages": blank}, {"messages": CHAT})
    assert of(path, MESSAGES).read() == [as_chat(CHAT)]


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("a.json", "write an object a line and call it .jsonl"),
        ("a.CSV", "write it as .jsonl or .parquet"),
        ("a.jsonl.gz", "unpack it first"),
    ],
)
def test_a_kind_that_is_not_read_is_told(tmp_path: Path, name: str, fix: str) -> None:
    path = tmp_path / name
    path.write_text("a dog\n", encoding="utf-8")
    assert message(of(path)) == (f"{path}: captions are lines of plain text, or records of .jsonl or .parquet; {fix}")


def test_plain_text_has_no_messages(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a dog\n", encoding="utf-8")
    assert "plain text, which has no messages" in message(of(tmp_path / "a.txt", MESSAGES))


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_a_missing_file_names_the_nearest(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"mine{suffix}").touch()
    assert message(of(tmp_path / f"mien{suffix}")).endswith(f"no such file; did you mean 'mine{suffix}'?")


def test_a_damaged_table_is_told(tmp_path: Path) -> None:
    path = write_table(tmp_path / "a.parquet", text=["a dog"] * 100)
    content = path.read_bytes()
    for damaged in (b"", content[: len(content) // 2], content[:4] + bytes(60) + content[64:], b"a dog\n" * 9):
        path.write_bytes(damaged)
        assert message(of(path)).startswith(f"{path}: cannot be read")


def test_a_wrong_column_is_told(tmp_path: Path) -> None:
    path = write_table(tmp_path / "a.parquet", text=["a", None], number=[1, 2])
    assert message(of(path, Field("txt"))).startswith(
        f"{path}: no column 'txt'; did you mean 'text'?; dataset.text_key"
    )
    assert message(of(path, Field("number"))) == f"{path}: row 1: 'number' is a number, not a text"
    assert message(of(path)) == f"{path}: row 2: 'text' is null, not a text"


def test_without_its_package_a_table_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_table(tmp_path / "a.parquet", text=["a"])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert message(of(path)) == f"{path}: needs a package to be read: pip install pyarrow"


def test_only_a_table_imports_its_package(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", {"text": "a"})
    program = f"""
import pathlib, sys
from auto_quantize_model.captions.samples import Field
from auto_quantize_model.captions.source import CaptionSource
assert CaptionSource((pathlib.Path({str(path)!r}),), Field()).read() == ["a"]
assert "pyarrow" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)  # noqa: S603


def test_a_line_that_never_ends_is_refused_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines, "_LONGEST_LINE", 2**20)
    path = write_lines(tmp_path / "a.jsonl", {"text": "a" * 2**21})
    assert message(of(path)) == f"{path}: line 1 is longer than 1 MiB; JSON lines have an object a line"
