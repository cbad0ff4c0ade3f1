"""What the code leans on in other libraries without their promise: an upgrade that takes it away fails here, by name.

Each check states the shape that the code needs; its message names the library, its version and the file to change.
"""

from __future__ import annotations

import ast
import inspect
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest
import torch
from tests.places import ROOT
from tests.small_models import build_llama_gguf
from transformers import LlamaConfig, LlamaForCausalLM, Qwen3VLConfig, Qwen3VLForConditionalGeneration

from auto_quantize_model.checkpoints.opening import open_checkpoint
from auto_quantize_model.engine.machine.products import product
from auto_quantize_model.precision.quantizers import calibrator_without_assertions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SMALL = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
}


def changed(library: str, what: str, file: str) -> str:
    assert (ROOT / "src" / "auto_quantize_model" / file).is_file(), f"{file} was moved: name its new place here"
    return f"{library} {version(library)} has changed: {what}; look at src/auto_quantize_model/{file}"


def parameters(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)


@pytest.fixture(scope="module")
def gguf_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("gguf") / "llama.gguf"
    build_llama_gguf(file)
    return file


@pytest.fixture
def quantizer() -> Any:
    from modelopt.torch.quantization.nn import TensorQuantizer

    return TensorQuantizer()


class TestTransformersAndGguf:
    FILE = "checkpoints/gguf_file.py"

    def test_a_gguf_file_is_read_once(
        self, gguf_file: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        import gguf
        from transformers import AutoConfig
        from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

        reads: list[Path] = []

        class CountedReader(gguf.GGUFReader):  # type: ignore[misc]  # of which nothing is known
            def __init__(self, path: Path) -> None:
                reads.append(path)
                super().__init__(path)

        monkeypatch.setattr(gguf, "GGUFReader", CountedReader)
        checkpoint = open_checkpoint(gguf_file)
        with checkpoint.being_loaded():
            folder, arguments = checkpoint.source
            model = LlamaForCausalLM(AutoConfig.from_pretrained(folder, **arguments))
            load_gguf_checkpoint(str(gguf_file), return_tensors=True, model_to_load=model)
        message = changed("transformers", "it no longer looks up gguf.GGUFReader when it reads a file", self.FILE)
        assert len(reads) == 1, message
        message = changed("transformers", "its progress bar is no longer modeling_gguf_pytorch_utils.tqdm", self.FILE)
        assert capfd.readouterr().err == "", message

    def test_names_and_values_of_a_gguf_file_are_worked_out_once(
        self, gguf_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import gguf
        from transformers import AutoConfig
        from transformers import modeling_gguf_pytorch_utils as loading

        calls: list[str] = []

        def counted(module: Any, name: str) -> None:
            real = getattr(module, name)

            def count(*arguments: Any) -> Any:
                calls.append(name)
                return real(*arguments)

            monkeypatch.setattr(module, name, count)

        counted(gguf, "get_tensor_name_map")
        counted(loading, "_gguf_parse_value")
        checkpoint = open_checkpoint(gguf_file)
        with checkpoint.being_loaded():
            folder, arguments = checkpoint.source
            model = LlamaForCausalLM(AutoConfig.from_pretrained(folder, **arguments))
            values = calls.count("_gguf_parse_value")
            loading.load_gguf_checkpoint(str(gguf_file), return_tensors=True, model_to_load=model)
        message = changed("transformers", "it no longer looks up gguf.get_tensor_name_map", self.FILE)
        assert calls.count("get_tensor_name_map") == 1, message
        message = changed("transformers", "it no longer parses values by _gguf_parse_value", self.FILE)
        assert calls.count("_gguf_parse_value") == values > 0, message

    def test_what_was_replaced_is_put_back(self, gguf_file: Path) -> None:
        import gguf
        from transformers import modeling_gguf_pytorch_utils as loading

        def now() -> list[Any]:
            return [gguf.GGUFReader, gguf.get_tensor_name_map, loading.tqdm, loading._gguf_parse_value]

        before = now()
        with open_checkpoint(gguf_file).being_loaded():
            assert not any(one is other for one, other in zip(now(), before, strict=True))
        assert now() == before

    def test_a_loader_that_looks_elsewhere_only_reads_more_often(
        self, gguf_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from transformers import modeling_gguf_pytorch_utils as loading

        for name in ("tqdm", "_gguf_parse_value"):
            monkeypatch.delattr(loading, name)
        with open_checkpoint(gguf_file).being_loaded():
            pass
        assert not hasattr(loading, "tqdm")
        assert not hasattr(loading, "_gguf_parse_value")


class TestTransformers:
    def test_a_model_names_the_layers_that_no_split_may_cut(self) -> None:
        with torch.device("meta"):
            model = LlamaForCausalLM(LlamaConfig(**SMALL))
        names = {type(module).__name__ for module in model.modules()}
        message = changed("transformers", "_no_split_modules no longer names a model's blocks", "families/placement.py")
        assert "LlamaDecoderLayer" in model._no_split_modules, message
        assert set(model._no_split_modules) <= names, message

    def test_a_configuration_knows_its_attention(self) -> None:
        config = LlamaForCausalLM(LlamaConfig(**SMALL)).config
        message = changed("transformers", "config._attn_implementation no longer names it", "engine/loaded_pass.py")
        assert config._attn_implementation == "sdpa", message

    def test_a_qwen3_vl_can_do_without_its_vision_tower(self) -> None:
        vision = {"depth": 1, "hidden_size": 32, "intermediate_size": 32, "num_heads": 2, "out_hidden_size": 32}
        rope = {"rope_type": "default", "mrope_section": [4, 2, 2], "rope_theta": 1e4}
        config = Qwen3VLConfig(text_config={**SMALL, "head_dim": 16, "rope_parameters": rope}, vision_config=vision)
        with torch.device("meta"):
            empty = Qwen3VLForConditionalGeneration(config)
        file = "families/qwen3_vl.py"
        message = changed("transformers", "a Qwen3-VL's vision tower is no longer model.visual", file)
        assert isinstance(empty.model.visual, torch.nn.Module), message
        text = empty.model.language_model
        outside = [name for name, _ in text.named_buffers() if not name.startswith("rotary_emb.")]
        message = changed("transformers", "a language model computes buffers that are not its rotary embedding's", file)
        assert not outside, message

        whole = Qwen3VLForConditionalGeneration(config).model.language_model.rotary_emb
        again = type(text.rotary_emb)(config.text_config)
        message = changed("transformers", "a rotary embedding is not rebuilt from its configuration alone", file)
        buffers = dict(whole.named_buffers())
        assert buffers, message
        assert dict(again.named_buffers()).keys() == buffers.keys(), message
        assert all(torch.equal(buffer, buffers[name]) for name, buffer in again.named_buffers()), message


class TestTorch:
    def test_onednns_product_takes_what_it_is_given(self) -> None:
        if not torch.backends.mkldnn.is_available():
            pytest.skip("this torch is built without oneDNN")
        message = changed("torch", "torch.ops.mkldnn._linear_pointwise is gone", "engine/machine/products.py")
        assert hasattr(torch.ops.mkldnn, "_linear_pointwise"), message
        rows, weight = torch.randn(5, 32), torch.randn(7, 32)
        message = changed("torch", "_linear_pointwise no longer is rows @ weight.T", "engine/machine/products.py")
        assert torch.allclose(product(rows, weight), rows @ weight.T, rtol=1e-5, atol=1e-5), message


class TestModelOptQuantizers:
    def test_a_quantizer_says_where_its_maximum_comes_from(self, quantizer: Any) -> None:
        from modelopt.torch.quantization.calib import MaxCalibrator

        state = (quantizer._use_constant_amax, quantizer._constant_amax, quantizer._dynamic)
        message = changed("nvidia-modelopt", "a TensorQuantizer's private flags", "precision/quantizers.py")
        assert state == (False, None, False), message
        assert type(quantizer._calibrator) is MaxCalibrator, message

    def test_changed_flags_are_seen(self) -> None:
        from modelopt.torch.quantization.config import QuantizerAttributeConfig
        from modelopt.torch.quantization.nn import TensorQuantizer

        message = changed("nvidia-modelopt", "a TensorQuantizer's private flags", "precision/quantizers.py")
        constant = TensorQuantizer(QuantizerAttributeConfig(num_bits=(4, 3), constant_amax=1.5))
        assert constant._use_constant_amax or constant._constant_amax is not None, message
        assert TensorQuantizer(QuantizerAttributeConfig(num_bits=(4, 3), type="dynamic"))._dynamic, message

    @pytest.mark.parametrize("axis", [None, 0, -1, (0, 1)])
    def test_the_calibrator_collects_as_modelopts_own(self, axis: Any) -> None:
        from modelopt.torch.quantization.calib import MaxCalibrator

        theirs = MaxCalibrator(8, axis, unsigned=False)
        mine = calibrator_without_assertions(MaxCalibrator(8, axis, unsigned=False))
        message = changed("nvidia-modelopt", "what MaxCalibrator.collect does", "precision/quantizers.py")
        assert parameters(MaxCalibrator.collect) == parameters(type(mine).collect), message
        for tensor in torch.randn(3, 4, 6):
            theirs.collect(tensor)
            mine.collect(tensor)
        assert vars(mine).keys() == vars(theirs).keys(), message
        assert torch.equal(mine.compute_amax(), theirs.compute_amax()), message

    def test_a_backend_is_told_the_maximum(self, quantizer: Any) -> None:
        from modelopt.torch.quantization.nn import TensorQuantizer

        message = changed("nvidia-modelopt", "TensorQuantizer._get_amax", "precision/fp4.py")
        assert parameters(TensorQuantizer._get_amax) == ["self", "inputs"], message
        values = torch.tensor([[1.0, -3.0]])
        assert quantizer._get_amax(values).amax() == 3, message
        quantizer.amax = torch.tensor(5.0)
        assert quantizer._get_amax(values).amax() == 5, message

    def test_a_backend_is_called_with_the_input_and_the_quantizer(self) -> None:
        from modelopt.torch.quantization.config import QuantizerAttributeConfig
        from modelopt.torch.quantization.nn import TensorQuantizer, register_quant_backend, unregister_quant_backend

        register_quant_backend("test_fragile", lambda inputs, given: inputs * given.num_bits)
        try:
            quantizer = TensorQuantizer(QuantizerAttributeConfig(num_bits=8, backend="test_fragile"))
            message = changed("nvidia-modelopt", "how a quantization backend is called", "precision/fp4.py")
            assert quantizer(torch.ones(1, 2)).tolist() == [[8, 8]], message
        finally:
            unregister_quant_backend("test_fragile")


class TestModelOptKernels:
    """ModelOpt does not say which kernel ran; the manifest's `kernels` repeat its conditions."""

    FILE = "precision/capability.py"

    def test_what_the_conditions_read_is_there(self) -> None:
        from modelopt.torch.kernels.quantization import gemm
        from modelopt.torch.quantization import extensions, tensor_quant

        message = changed("nvidia-modelopt", "the switches of its kernels", self.FILE)
        assert isinstance(gemm.IS_AVAILABLE, bool), message
        assert tensor_quant.DISABLE_TRITON_KERNEL is False, message
        assert parameters(extensions.get_cuda_ext) == parameters(extensions.get_cuda_ext_fp8), message

    @pytest.mark.parametrize(
        ("function", "conditions"),
        [
            (
                "_dynamic_block_quantize_impl",
                {
                    "exponent_bits != 0",
                    "num_bits in mx_format_map",
                    "scale_bits != (8, 0)",
                    "amax.numel() != 1",
                    "num_bits == (2, 1) and scale_bits == (4, 3) and triton_kernel.IS_AVAILABLE and "
                    "hasattr(triton_kernel, 'fp4_fake_quant_block') and (not DISABLE_TRITON_KERNEL) and "
                    "(amax is not None)",
                },
            ),
            (
                "scaled_e4m3_impl",
                {
                    "not inputs.is_cuda or amax is None or amax.squeeze().ndim > 1",
                    "cuda_ext_fp8 is None",
                    "amax.numel() == 1",
                    "amax.squeeze().ndim == 1",
                },
            ),
            ("fake_quant_impl", {"amax.numel() == 1"}),
        ],
    )
    def test_the_conditions_are_modelopts(self, function: str, conditions: set[str]) -> None:
        from modelopt.torch.quantization import tensor_quant

        tree = ast.parse(inspect.getsource(getattr(tensor_quant, function)))
        found = {ast.unparse(node.test) for node in ast.walk(tree) if isinstance(node, ast.If)}
        message = changed("nvidia-modelopt", f"how tensor_quant.{function} chooses its kernel", self.FILE)
        assert found == conditions, message


class TestModelOptSearcher:
    @pytest.fixture
    def searcher(self) -> Any:
        from modelopt.torch.quantization.algorithms import AutoQuantizeGradientSearcher

        return AutoQuantizeGradientSearcher()

    def test_the_grouping_rules_can_be_asked(self, searcher: Any) -> None:
        file = "engine/capture/groups.py"
        message = changed("nvidia-modelopt", "how its searcher groups layers", file)
        assert parameters(searcher._apply_quant_group_rule) == ["name", "rule"], message
        assert parameters(searcher._apply_score_group_rule) == ["name", "rule"], message
        with torch.device("meta"):
            searcher.model = LlamaForCausalLM(LlamaConfig(**SMALL))

        def keys(apply: Callable[..., str | None], rules: list[Any], name: str) -> set[str]:
            return {key for rule in rules if (key := apply(f"model.layers.0.{name}", rule)) is not None}

        for group in (("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"), ("mlp.gate_proj", "mlp.up_proj")):
            found = [keys(searcher._apply_quant_group_rule, searcher.quant_grouping_rules, name) for name in group]
            assert len(found[0]) == 1, message
            assert all(each == found[0] for each in found), message
        assert not keys(searcher._apply_quant_group_rule, searcher.quant_grouping_rules, "mlp.down_proj"), message
        assert not keys(searcher._apply_score_group_rule, searcher.score_module_rules, "mlp.down_proj"), message
        expert = "mlp.experts.3.down_proj"
        assert keys(searcher._apply_score_group_rule, searcher.score_module_rules, expert), message

    # ModelOpt 0.47 calls PuLP in the ways that PuLP 4 takes away.
    @pytest.mark.filterwarnings("ignore::DeprecationWarning:pulp.*", "ignore::DeprecationWarning:modelopt.*")
    @pytest.mark.parametrize("name", ["AutoQuantizeGradientSearcher", "AutoQuantizeKLDivSearcher"])
    def test_the_solver_takes_statistics_alone(self, name: str) -> None:
        from modelopt.torch.quantization import algorithms

        searcher = getattr(algorithms, name)()
        searcher.cost_model = "weight"
        searcher.candidate_stats = {
            group: {"formats": ["small", None], "scores": [score, 0.0], "costs": [1.0, 4.0]}
            for group, score in (("a", 1.0), ("b", 9.0))
        }
        message = changed("nvidia-modelopt", f"{name}.run_search_with_stats", "engine/search.py")
        best, satisfied = searcher.run_search_with_stats(5.0)
        assert satisfied, message
        assert {group: choice["format"] for group, choice in best.items()} == {"a": "small", "b": None}, message

    def test_a_failed_search_leaves_a_switch_behind(self) -> None:
        from modelopt.torch.quantization import model_calib
        from modelopt.torch.quantization.algorithms import QuantRecipe

        message = changed("nvidia-modelopt", "_ENABLE_FOLDING_PQS_TO_WEIGHTS", "engine/modelopt_loop.py")
        assert model_calib._ENABLE_FOLDING_PQS_TO_WEIGHTS is True, message
        QuantRecipe.disable_folding_pqs_to_weights()
        try:
            assert model_calib._ENABLE_FOLDING_PQS_TO_WEIGHTS is False, message
        finally:
            model_calib._ENABLE_FOLDING_PQS_TO_WEIGHTS = True
