"""A pass on Ray itself; `nox -s cluster` installs it and runs this."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

from auto_quantize_model import InputError, run_cases
from auto_quantize_model.engine.cluster.ray_cluster import connect
from auto_quantize_model.manifest.document import dumps

pytest.importorskip("ray", reason="Ray is not installed: pip install -e '.[cluster]'")

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from auto_quantize_model import Suite

# What Ray itself does at its import and when it connects.
pytestmark = pytest.mark.filterwarnings("ignore")

EXPRESSION = "small and (wint8_aint8 or wmxfp4_afp8)"


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Two hosts with a CPU each, beside one that has none for workers: processes of this machine."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        cluster.add_node(num_cpus=1)
        yield cluster
    finally:
        cluster.shutdown()


@pytest.fixture(scope="module")
def suite(llama_suite: Callable[..., Suite]) -> Suite:
    return llama_suite("autoquant.batch_size=1", "autoquant.score_size=8")


def go(suite: Suite, **settings: Any) -> dict[str, str]:
    results = run_cases(suite.select(EXPRESSION), device="cpu", **settings)
    return {result.case.id: dumps(result.manifest) if result.manifest else str(result.error) for result in results}


def test_two_hosts_one_of_them_killed_come_to_the_bytes_of_one_process(hosts: Any, suite: Suite) -> None:
    expected = go(suite)
    before = signal.getsignal(signal.SIGTERM)
    assert go(suite, cluster=hosts.address) == expected
    assert signal.getsignal(signal.SIGTERM) is before
    lines: list[str] = []

    def kill(stage: str, done: int, _total: int) -> None:
        if stage == "replay" and done == 2:
            hosts.remove_node(hosts.worker_nodes.copy().pop(), allow_graceful=False)

    assert go(suite, cluster=hosts.address, progress=kill, notice=lines.append) == expected
    assert len(expected) == 2


def test_ctrl_c_leaves_no_worker(hosts: Any, suite: Suite) -> None:
    import ray

    def interrupt(stage: str, done: int, _total: int) -> None:
        if stage == "replay" and done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go(suite, cluster=hosts.address, progress=interrupt)
    assert not ray.is_initialized()
    ray.init(address=hosts.address, log_to_driver=False)
    try:
        assert ray.available_resources()["CPU"] == 2
    finally:
        ray.shutdown()


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("auto", "this host belongs to no cluster; `ray start --head` starts one"),
        (
            "127.0.0.1:9",
            "nothing answers there (Connection refused); start the cluster with `ray start --head --port 9`",
        ),
        ("ray://127.0.0.1:10001", "only a host of the cluster itself can start a run"),
    ],
)
def test_a_cluster_that_is_not_there_is_one_line(
    address: str, words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    with pytest.raises(InputError) as raised:
        connect(address)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)
