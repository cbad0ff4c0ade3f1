from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.manifests import build, group_key, measured
from tests.places import SUITE

from auto_quantize_model import load_suite
from auto_quantize_model.reports import json_report, markdown
from auto_quantize_model.reports.headline import ranked, sentences
from auto_quantize_model.reports.places import Place, places
from auto_quantize_model.reports.quantities import digits, engineering, nats, unit_for
from auto_quantize_model.reports.rows import rows

if TYPE_CHECKING:
    from auto_quantize_model import Case

STATISTICS: dict[str, Any] = {
    "level": 0.95,
    "resamples": 1000,
    "samples": 16,
    "convergence": [],
    "top_ten": {"between": ["a", "b"], "settled": True, "captions_needed": 16, "reason": None},
}


@pytest.fixture(scope="module")
def case() -> Case:
    (only,) = load_suite(SUITE).select("tiny and wfp8_afp8 and small")
    return only


def told(manifest: dict[str, Any]) -> list[str]:
    return sentences(manifest, ranked(rows(manifest)))


def banded(manifest: dict[str, Any], *bands: int) -> dict[str, Any]:
    for index, band in enumerate(bands):
        manifest["layer_sensitivity"][group_key(index)]["tie_band"] = band
    return {**manifest, "statistics": STATISTICS}


def test_the_three_sentences(case: Case) -> None:
    manifest = banded(measured(build(case), 0.02), 4, 3, 2, 1)
    assert told(manifest) == [
        "wfp8_afp8 costs 0.020 nats per token (measured; 0.0098 nats were predicted).",
        "92% of that is in 1 of 4 groups: layer 0 gate+up.",
        "By ModelOpt's score, 16 captions settle the order of the 4 most sensitive groups, and which ten are the most "
        "sensitive.",
    ]


def test_what_is_not_covered_is_said_at_once(case: Case) -> None:
    manifest = build(case)
    manifest["scheme"]["coverage_fraction"] = 0.75
    manifest["layer_sensitivity"][group_key(1)] |= {"status": "not_covered", "reason": "its layers are convolutions"}
    assert told(manifest)[-1].startswith("75 % of the weights were scored; one row has no score, the largest ")


def test_what_a_group_has_that_few_have_is_in_both_reports(case: Case) -> None:
    manifest = build(case)
    entries = manifest["layer_sensitivity"]
    told = {"status": "not_covered", "reason": "it runs *twice* a | pass", "weight_share": 0.125, "importance": None}
    entries[group_key(1)] |= told
    entries[group_key(0)] |= {"score_boundary": ["a.self_attn", "b.mlp"], "cost_weight": 0.25}
    text = markdown.render(manifest).replace(r"\|", "/")
    lines = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    header, _, first, *others = lines
    assert header[-4:] == ["Why Not Covered", "Share of Weights", "Scored At", "Cost Weight"]
    assert first[-4:] == ["n/a", "n/a", "a.self_attn, b.mlp", "0.25"]
    assert [row[-4:] for row in others if row[-4] != "n/a"] == [[r"it runs \*twice\* a / pass", "12.50%", "n/a", "n/a"]]
    reported = json.loads(json_report.render(manifest))["layer_sensitivity"]
    (not_covered,) = [row for row in reported if row["status"] == "not_covered"]
    assert (not_covered["reason"], not_covered["weight_share"]) == (told["reason"], 0.125)
    assert (reported[0]["score_boundary"], reported[0]["cost_weight"]) == (["a.self_attn", "b.mlp"], 0.25)
    assert "Why Not Covered" not in markdown.render(build(case))


def test_half_may_take_many_groups(case: Case) -> None:
    assert told(build(case, [1e-4] * 20))[1] == (
        "Half of that is in 10 of 20 groups; the costliest are layer 0 gate+up, layer 1 gate+up, layer 2 gate+up and "
        "layer 3 gate+up, the first with 5%."
    )


@pytest.mark.parametrize(
    ("bands", "settled", "says"),
    [
        ((3, 2, 2, 1), True, "settle which group is the most sensitive, and which ten"),
        ((3, 3, 2, 1), True, "do not settle even which group is the most sensitive, but which ten"),
        ((3, 3, 2, 1), False, "do not settle even which group is the most sensitive, nor which ten"),
        ((4, 3, 2, 2), False, "settle the order of the 2 most sensitive groups, but not which ten"),
    ],
)
def test_how_far_the_order_is_settled(case: Case, bands: tuple[int, ...], settled: bool, says: str) -> None:
    manifest = banded(build(case), *bands)
    manifest["statistics"] = {**STATISTICS, "top_ten": {**STATISTICS["top_ten"], "settled": settled}}
    assert says in told(manifest)[-1]


def test_what_was_not_measured_costs_nothing_and_counts_nowhere(case: Case) -> None:
    manifest = build(case)
    manifest["layer_sensitivity"][group_key(0)] |= {"status": "not_covered", "predicted_kl": 0.0, "importance": 0.0}
    assert "of 3 groups: layer 1 gate+up." in told(manifest)[1]
    assert ranked(rows(manifest))[-1].cost is None


@pytest.mark.parametrize(
    ("name", "modules", "place"),
    [
        ("model.layers.2.mlp.down_proj", None, Place(2, "down")),
        ("model.language_model.layers.0.self_attn.q_proj", ["q_proj", "k_proj", "v_proj"], Place(0, "q+k+v")),
        ("transformer.h.11.attn.c_attn", None, Place(11, "c_attn")),
        ("model.layers.3.mlp.experts.17.w1", None, Place(3, "experts w1", "17")),
        (
            "model.layers.3.mlp.experts.0.gate_proj",
            ["experts.0.gate_proj", "experts.1.up_proj"],
            Place(3, "experts gate+up"),
        ),
        ("blocks.5.mlp.0", None, Place(5, "mlp.0")),
        ("lm_head", None, Place(None, "lm_head")),
        ("model.language_model.norm_head", None, Place(None, "norm_head")),
    ],
)
def test_where_a_group_is(name: str, modules: list[str] | None, place: Place) -> None:
    above = name.rpartition(".")[0]
    if modules is not None:
        start = name.partition("layers.")[0] + "layers." + name.partition("layers.")[2].partition(".")[0]
        modules = [f"{start}.{each}" if "experts" in each else f"{above}.{each}" for each in modules]
    assert places([{"layer": name, "modules": modules}]) == [place]


def test_parts_with_the_same_names_are_told_apart() -> None:
    names = ("layers.0.self_attn.o_proj", "layers.0.cross_attn.o_proj", "layers.0.mlp.down_proj")
    kinds = [place.kind for place in places([{"layer": name} for name in names])]
    assert kinds == ["self_attn o", "cross_attn o", "down"]


def test_numbers_as_people_say_them() -> None:
    assert [nats(each) for each in (1.234, 0.0541, 0.00099, 5.7e-5, 3e-8, 0.0)] == [
        "1.2 nats",
        "0.054 nats",
        "990 micronats",
        "57 micronats",
        "30 nanonats",
        "0 nats",
    ]
    assert [engineering(each) for each in (5.66e-3, 2.24e-5, 0.9996, 1.0)] == ["5.7m", "22µ", "1.0", "1.0"]
    unit = unit_for(0.0056)
    assert (unit.symbol, unit.show(0.0056), unit.show(2.24e-5), unit.show(None)) == ("m", "5.60", "0.0224", "n/a")
    assert unit.show_interval([0.001, 0.12]) == "1.00 to 120"
    assert digits(1.5e-30) == "1.50e-30"


def test_the_report_begins_with_what_matters(case: Case) -> None:
    manifest = build(case, [3e-4] + [1e-6 * (20 - each) for each in range(19)])
    text = markdown.render(manifest)
    first, figure, *_ = (line for line in text.splitlines()[1:] if line)
    assert first.startswith("wfp8_afp8 is predicted to cost 0.015 nats per token")
    assert figure.endswith("(per-layer-sensitivity.svg)")
    table = [line.split(" | ") for line in text.splitlines() if line.startswith("layer ")]
    assert len(table) == 10
    assert table[0][:4] == ["layer 0 gate+up", "9.00", "7.20 to 10.8", "59%"]
    assert "Group | Predicted KL, mnat per token | 95 % interval | Share" in text
    assert "And 10 more that cost less" in text
    assert text.index("<details>") < text.index("|Layer|Num Bits|Sensitivity|Size Cost|")


def test_what_a_search_left_out_is_shown_for_each_group(case: Case) -> None:
    manifest = build(case)
    assert "Quantized" not in markdown.render(manifest)
    for module in manifest["layer_sensitivity"][group_key(0)]["modules"]:
        manifest["layers"][module]["quantized"] = False
    text = markdown.render(manifest)
    header, _, *table = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    assert header[-1] == "Quantized"
    assert [row[-1] for row in table] == ["no", "yes", "yes", "yes", "no"]
    titles, _, first, second, *_ = (line.split(" | ") for line in text.splitlines() if " | " in line)
    assert [first[titles.index("Quantized")], second[titles.index("Quantized")]] == ["no", "yes"]
