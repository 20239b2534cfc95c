"""
The benchmark of training, on a network of no size.

In: the tiny recipe. Out: what a step costs, by arithmetic that can be done by hand, and by the profiler.
"""

import pytest
import torch

from benchmarks import training_speed
from benchmarks.training_speed import TEXTS, Speed, group_of, make_trainer, measure, mflop_per_item, where_time_goes
from hanpuri.compact.learning.trainer import Trainer


@pytest.fixture(scope="module")
def trainer(tmp_path_factory, tiny_recipe) -> Trainer:
    folder = tmp_path_factory.mktemp("speed")
    recipe = tiny_recipe(folder, training={"batch_tokens": 96}, network={"width": 64, "num_layers": 1})
    return make_trainer(recipe, TEXTS, folder / "run", torch.device("cpu"))


def test_arithmetic_is_counted_three_times_once_forward_and_twice_backward(trainer):
    labels, mean_length = trainer.network.shape.num_labels, 28
    matrices, attention = 12 * 64 * 64 + 64 * labels, 2 * mean_length * 64
    assert mflop_per_item(trainer) == pytest.approx(3 * 2 * (matrices + attention) / 1e6)


def test_a_step_is_timed_and_its_operations_are_sorted_by_what_they_do(trainer, monkeypatch):
    monkeypatch.setattr(training_speed, "PROFILED_STEPS", 2)
    speed, groups = measure(trainer, 3), where_time_goes(trainer)
    assert speed.items_per_second == pytest.approx(96e3 / speed.milliseconds)
    assert speed.tflops == pytest.approx(speed.items_per_second * speed.mflop_per_item / 1e6)
    assert {"products", "attention", "copies"} <= {group.name for group in groups}
    assert [group.milliseconds for group in groups] == sorted((g.milliseconds for g in groups), reverse=True)


def test_the_share_is_that_of_a_large_product():
    assert Speed("", "", 0, 0, 0, tflops=30, product_tflops=120).share == 0.25


@pytest.mark.parametrize(
    ("kernel", "group"),
    [
        ("nvjet_hsh_256x128_64x4_1x2_h_bz_coopA_NTN", "products"),
        ("aten::addmm", "products"),
        ("cudnn_generated_fort_native_sdpa_sm90_flash_bprop_wgmma_f16_knob_7", "attention"),
        ("triton_poi_fused_gelu_3", "GELU"),
        ("triton_per_fused__fused_rms_norm_add_1", "normalising"),
        ("triton_red_fused__log_softmax_nll_loss_forward_0", "loss"),
        ("triton_poi_fused_add_mul_5", "other compiled"),
        ("Memset (Device)", "copies"),
        ("void at::native::index_elementwise_kernel<128, 4>", "other"),
    ],
)
def test_a_kernel_is_known_by_its_name(kernel, group):
    assert group_of(kernel) == group
