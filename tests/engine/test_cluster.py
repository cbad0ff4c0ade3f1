"""A pass on several hosts comes to the bytes of one process, whatever happens to the hosts."""

from __future__ import annotations

import collections
import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.stand_in_cluster import StandIn
from tests.places import SUITE
from tests.small_models import build_qwen3_moe

from auto_quantize_model import CaptureSettings, InputError, load_suite, run_cases
from auto_quantize_model.cluster_address import parse_address, parse_gpus
from auto_quantize_model.engine.capture.captured import RowsMeetError
from auto_quantize_model.engine.capture.interrupted import forget
from auto_quantize_model.engine.cluster import crew, ray_cluster, worker
from auto_quantize_model.engine.machine import environment
from auto_quantize_model.manifest.document import dumps

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.engine.stand_in_cluster import Called

    from auto_quantize_model import Suite

EXPRESSION = "small and (wint8_aint8 or wmxfp4_afp8)"
GROUPS = 8


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[dict[str, str], list[str]]]:
    """Run on a cluster that stands in for Ray's: the manifests, or what is wrong, and what was said."""
    monkeypatch.setattr(crew, "_LOOK_SECONDS", 0.0)

    def go(cluster: StandIn, suite: Suite, expression: str = EXPRESSION, **settings: Any) -> Any:
        monkeypatch.setattr(ray_cluster, "connect", lambda _address: cluster)
        lines: list[str] = []
        found = by_id(suite, expression, cluster="auto", notice=lines.append, **settings)
        assert cluster.closed
        assert all(actor.dismissed for actor in cluster.actors)
        return found, lines

    return go


def by_id(suite: Suite, expression: str = EXPRESSION, **settings: Any) -> dict[str, str]:
    results = run_cases(suite.select(expression), device="cpu", **settings)
    return {result.case.id: dumps(result.manifest) if result.manifest else str(result.error) for result in results}


@pytest.fixture(scope="module")
def suite(llama_suite: Callable[..., Suite]) -> Suite:
    # Batches of one, so that there are some.
    return llama_suite("autoquant.batch_size=1", "autoquant.score_size=8")


@pytest.fixture(scope="module")
def expected(suite: Suite) -> dict[str, str]:
    return by_id(suite)


def at(method: str, number: int, harm: Callable[[StandIn, str], None]) -> Callable[[StandIn, Called], None]:
    """Do harm to the host that is called with a method for the nth time."""
    seen: list[str] = []

    def before(cluster: StandIn, called: Called) -> None:
        if called.method == method:
            seen.append(called.actor.place.node)
            if len(seen) == number:
                harm(cluster, called.actor.place.node)

    return before


def lose(cluster: StandIn, node: str) -> None:
    cluster.lose(node)


def silence(cluster: StandIn, node: str) -> None:
    cluster.silent.add(node)


@pytest.mark.parametrize("hosts", [1, 2, 3])
def test_manifests_are_the_bytes_of_one_process(
    on: Callable[..., Any], suite: Suite, expected: dict[str, str], hosts: int
) -> None:
    cluster = StandIn(hosts)
    found, lines = on(cluster, suite)
    assert found == expected
    assert len(expected) == 2
    assert {node for node, method in cluster.done if method == "replay"} == set(cluster.nodes)
    assert [method for _, method in cluster.done].count("replay") == GROUPS
    assert "moved to where they were replayed" in lines[-1]


def test_experts_and_calibrations_of_their_own_travel_too(on: Callable[..., Any], tmp_path: Path) -> None:
    build_qwen3_moe(tmp_path / "moe" / "checkpoint")
    (tmp_path / "moe" / "model.yaml").write_text("family: causal_lm\ndtype: float32\n", encoding="utf-8")
    suite = load_suite(SUITE, models_root=tmp_path, overrides=["suite.models=[moe]", "autoquant.batch_size=4"])
    found, _ = on(StandIn(2), suite)
    assert found == by_id(suite)
    assert len(found) == 2


@pytest.mark.parametrize(
    ("method", "number"), [("open", 1), ("open", 2), ("capture", 3), ("replay", 2), ("replay", 7), ("hold", 2)]
)
def test_a_host_that_is_lost_costs_its_work_alone(
    on: Callable[..., Any], suite: Suite, expected: dict[str, str], method: str, number: int
) -> None:
    cluster = StandIn(3, at(method, number, lose))
    found, lines = on(cluster, suite)
    assert found == expected
    assert [line for line in lines if " is gone" in line]
    assert len(cluster.gone) == 1


def test_what_was_captured_on_a_host_that_is_gone_is_captured_again(
    on: Callable[..., Any], suite: Suite, expected: dict[str, str]
) -> None:
    there: list[int] = []

    def lose_a_capturer(cluster: StandIn, _node: str) -> None:
        captured = collections.Counter(node for node, method in cluster.done if method == "capture")
        assert len(captured) > 1
        node = max(captured, key=captured.__getitem__)
        there.append(captured[node])
        cluster.lose(node)

    cluster = StandIn(4, at("replay", 2, lose_a_capturer))
    assert on(cluster, suite)[0] == expected
    # What the others captured is still there, however many tasks find out that some is not.
    units = units_of(suite)
    assert units < [method for _, method in cluster.done].count("capture") <= units + there[0]


def units_of(suite: Suite) -> int:
    """How many captures an undisturbed pass takes."""
    cluster = StandIn(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ray_cluster, "connect", lambda _address: cluster)
        by_id(suite, cluster="auto")
    return [method for _, method in cluster.done].count("capture")


def test_what_a_silent_host_was_to_do_is_done_by_others(
    on: Callable[..., Any], suite: Suite, expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "_LATE_SECONDS", 0.0)
    cluster = StandIn(3, at("replay", 3, silence))
    assert on(cluster, suite)[0] == expected
    assert cluster.silent


def test_a_host_that_joins_in_mid_pass_gets_work(
    on: Callable[..., Any], suite: Suite, expected: dict[str, str]
) -> None:
    cluster = StandIn(1, at("capture", 2, lambda cluster, _: cluster.nodes.append("late")))
    assert on(cluster, suite)[0] == expected
    assert ("late", "open") in cluster.done


def test_a_worker_that_is_lost_alone_is_replaced(
    on: Callable[..., Any], suite: Suite, expected: dict[str, str]
) -> None:
    def lose_alone(cluster: StandIn, called: Called) -> None:
        if called.method == "replay" and len(cluster.actors) == 1:
            called.refs[0].there, called.refs[0].value = True, ray_cluster.LostWorkerError("out of memory")
            raise _SkipError

    cluster = StandIn(1)
    real = cluster._do

    def do(called: Called) -> None:
        try:
            lose_alone(cluster, called)
        except _SkipError:
            return
        real(called)

    cluster._do = do  # type: ignore[assignment, method-assign]
    found, lines = on(cluster, suite)
    assert found == expected
    assert len(cluster.actors) == 2
    assert "10.0.0.0 is gone" in lines[0]
    assert "out of memory" in lines[0]


class _SkipError(Exception):
    """A call is not done at all."""


def test_unlike_hosts_are_all_named_in_the_manifest(
    on: Callable[..., Any], suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = ["front"]

    def note(_cluster: StandIn, called: Called) -> None:
        here[0] = f"processor of {called.actor.place.node}"

    monkeypatch.setattr(environment, "_describe_processor", lambda: here[0])
    found, _ = on(StandIn(2, note), suite)
    hardware = {json.loads(text)["environment"]["hardware"] for text in found.values()}
    assert hardware == {"processor of node0; processor of node1"}


def test_without_a_worker_the_cases_fail_with_one_line(on: Callable[..., Any], suite: Suite) -> None:
    def lose_all(cluster: StandIn, _node: str) -> None:
        cluster.gone.update(cluster.nodes)

    found, _ = on(StandIn(2, at("replay", 2, lose_all)), suite)
    assert all(text.startswith("the cluster has no worker left: 10.0.0.") for text in found.values())
    assert len(found) == 2


def test_a_worker_that_cannot_load_fails_the_cases_with_one_line(on: Callable[..., Any], suite: Suite) -> None:
    def lose_all(cluster: StandIn, _node: str) -> None:
        cluster.gone.update(cluster.nodes)

    found, _ = on(StandIn(1, at("open", 1, lose_all)), suite)
    assert set(found.values()) == {"the cluster has no worker left: 10.0.0.0: node0 went away"}
    assert len(found) == 2


class TestRefusing:
    def test_another_checkpoint(self, on: Callable[..., Any], suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
        from auto_quantize_model.checkpoints.checkpoint import Checkpoint

        seen: list[int] = []

        def another(_: Checkpoint) -> str:
            seen.append(1)
            return f"sha{len(seen)}"

        monkeypatch.setattr(Checkpoint, "fingerprint", property(another))
        with pytest.raises(InputError, match=r"^10\.0\.0\.0: .*checkpoint is another checkpoint there") as raised:
            on(StandIn(2), suite)
        assert "\n" not in str(raised.value)

    def test_other_versions(self, on: Callable[..., Any], suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
        stated = worker.stated_versions()
        monkeypatch.setattr(crew, "stated_versions", lambda: {**stated, "torch": "2.1.0"})
        with pytest.raises(InputError, match=r"^10\.0\.0\.0: torch is \S+ there and 2\.1\.0 where the run was started"):
            on(StandIn(2), suite)

    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"engine": "modelopt"}, "the engine modelopt is not shared out"),
            ({"measure": "cases"}, "one process alone can measure"),
            ({"captures": CaptureSettings(keep=True)}, "go with the run"),
            ({"captures": CaptureSettings(memory=1)}, "--object-store-memory"),
        ],
    )
    def test_what_has_no_use_on_a_cluster(self, suite: Suite, settings: dict[str, Any], words: str) -> None:
        with pytest.raises(InputError, match=words):
            by_id(suite, cluster="auto", **settings)

    def test_the_method_that_only_modelopt_has(self, on: Callable[..., Any], llama_suite: Callable[..., Suite]) -> None:
        with pytest.raises(InputError, match="the method kl_div runs ModelOpt's own loop"):
            on(StandIn(1), llama_suite("autoquant.method=kl_div"))

    def test_a_cluster_without_a_host(self, on: Callable[..., Any], suite: Suite) -> None:
        with pytest.raises(InputError, match="no host of the cluster has a CPU for a worker"):
            on(StandIn(0), suite)

    def test_a_gpu_that_no_host_has(self, suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
        cluster = StandIn(1)
        monkeypatch.setattr(ray_cluster, "connect", lambda _address: cluster)
        with pytest.raises(InputError, match="no host of the cluster has a GPU"):
            run_cases(suite.select(EXPRESSION), device="cuda", cluster="auto")
        assert cluster.closed


@pytest.mark.parametrize(("gpus", "numbers"), [(0, [0]), (1, [0, 1, 2, 3]), (2, [0, 1]), (3, [0]), (8, [])])
def test_a_worker_takes_as_many_gpus_of_a_host_as_it_is_told(gpus: int, numbers: list[int]) -> None:
    node = {"NodeID": "n", "NodeManagerAddress": "10.0.0.1", "Resources": {"CPU": 16.0, "GPU": 4.0}}
    assert [place.number for place in ray_cluster.places_of(node, gpus)] == numbers


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "65"])
def test_a_number_of_gpus_that_is_none_is_one_line(text: str) -> None:
    with pytest.raises(InputError, match="write a whole number of GPUs, from 1 to 64"):
        parse_gpus(text)


@pytest.mark.parametrize("address", ["auto", "10.0.0.1:6379", "head.cluster:1"])
def test_an_address_is_taken_as_it_is(address: str) -> None:
    assert parse_address(address) == address


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("head", "write it as auto, or as HOST:PORT"),
        ("h:0", "HOST:PORT"),
        ("h:x", "HOST:PORT"),
        ("ray://h:1", "itself"),
    ],
)
def test_an_address_that_is_none_is_one_line(address: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_address(address)


def test_a_task_that_ends_every_worker_is_given_up(on: Callable[..., Any], suite: Suite) -> None:
    def lose_each(cluster: StandIn, called: Called) -> None:
        if called.method == "replay":
            cluster.lose(called.actor.place.node)

    found, _ = on(StandIn(9, lose_each), suite)
    assert all(text.startswith("3 workers of the cluster ended while they had one task") for text in found.values())


def test_batches_that_meet_run_one_by_one(
    on: Callable[..., Any], suite: Suite, expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from auto_quantize_model.engine.capture import captured

    def meet(*_: Any) -> None:
        raise RowsMeetError

    monkeypatch.setattr(captured, "check_rows_apart", meet)
    found, lines = on(StandIn(2), suite)
    assert found == expected
    assert "they run one by one" in lines[0]


@pytest.mark.parametrize("stage", ["capture 4", "replay 5"])
def test_an_interrupted_run_dismisses_all_and_the_next_goes_on(
    on: Callable[..., Any], suite: Suite, expected: dict[str, str], tmp_path: Path, stage: str
) -> None:
    def interrupt(at_stage: str, done: int, _total: int) -> None:
        if f"{at_stage} {done}" == stage:
            raise KeyboardInterrupt

    cluster = StandIn(2)
    first = CaptureSettings(folder=tmp_path, run="first")
    with pytest.raises(KeyboardInterrupt):
        on(cluster, suite, captures=first, progress=interrupt)
    assert all(actor.dismissed for actor in cluster.actors)
    assert cluster.closed
    captures = CaptureSettings(folder=tmp_path, run="next")
    again = StandIn(2)
    found, lines = on(again, suite, captures=captures)
    assert found == expected
    scored = int(stage.split()[1]) if stage.startswith("replay") else 0
    assert [method for _, method in again.done].count("replay") == GROUPS - scored
    assert bool([line for line in lines if line.startswith(f"goes on: {scored} of {GROUPS} groups")]) == bool(scored)
    forget(captures)
