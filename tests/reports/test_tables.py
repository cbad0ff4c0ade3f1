from __future__ import annotations

from auto_quantize_model.reports.aligned_table import aligned_table
from auto_quantize_model.reports.markdown_table import markdown_table, markdown_table_without_ends

TITLES = ("Layer", "KL")
ROWS = (("q_proj", "1.5"), ("o", "12"))


def test_markdown() -> None:
    assert list(markdown_table(TITLES, ROWS)) == ["|Layer|KL|", "| :--- | :--- |", "|q_proj|1.5|", "|o|12|"]
    assert list(markdown_table_without_ends(TITLES, ROWS)) == [
        "Layer | KL",
        ":--- | :---",
        "q_proj | 1.5",
        "o | 12",
    ]


def test_plain_text() -> None:
    assert list(aligned_table((TITLES, *ROWS), right=[1])) == ["Layer    KL", "q_proj  1.5", "o        12"]
    assert list(aligned_table((TITLES, *ROWS))) == ["Layer   KL", "q_proj  1.5", "o       12"]
    assert list(aligned_table(())) == []
