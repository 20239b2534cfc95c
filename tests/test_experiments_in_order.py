"""The driver of all experiments: what waits for what, which GPU takes it, and what a failure ends. Real processes."""

from argparse import Namespace

import pytest

from benchmarks.llm_experiments.everything import (
    LARGE,
    LAW,
    Part,
    failed_inside,
    free_gpu,
    log_of,
    make_parts,
    run_all,
    waits_behind,
)
from benchmarks.llm_experiments.ways import BASE, WAYS

WORKS = ("timeit", "-n", "1", "-r", "1", "pass")
FAILS = ("no_such_module_of_ours",)


@pytest.fixture
def options(tmp_path):
    (tmp_path / "logs").mkdir()
    return Namespace(runs=tmp_path, gpus=["0", "1"], at_once=2, without=[])


def test_a_part_begins_when_all_that_it_waits_for_has_ended_well(options, capsys):
    parts = [Part("first", WORKS), Part("second", WORKS, ("first",)), Part("third", WORKS, ("first", "second"))]
    assert run_all(parts, options) == []
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == ["first", "second", "third"]


def test_what_fails_ends_what_waits_for_it_and_nothing_else(options, capsys):
    parts = [
        Part("bad", FAILS),
        Part("behind", WORKS, ("bad",)),
        Part("further", WORKS, ("behind",)),
        Part("good", WORKS),
    ]
    assert sorted(run_all(parts, options)) == ["bad", "behind", "further"]
    told = capsys.readouterr().out
    assert "bad: failed: " in told
    assert "No module named no_such_module_of_ours" in told
    assert "behind: not begun, it waits for what failed" in told
    assert "good: done" in told


def test_what_is_left_out_does_not_hold_up_what_waits_for_it(options):
    options.without = ["bad"]
    assert run_all([Part("bad", FAILS), Part("behind", WORKS, ("bad",))], options) == []


def test_a_way_that_says_that_it_failed_has_failed(options):
    assert run_all([Part("lora", ("this_way_fails",))], options) == ["lora"]
    says = Part("lora", ("timeit", "-n", "1", "-s", "print('lora: failed: hanpuri train')", "pass"))
    assert failed_inside(says, options.runs) is False
    log_of("lora", options.runs).write_text("lora: failed: hanpuri train\n", encoding="utf-8")
    assert failed_inside(says, options.runs)


def test_a_gpu_takes_so_many_parts_and_none_beside_one_that_is_alone(options):
    large, small = Part(LARGE, WORKS, alone=True), Part("small", WORKS)
    assert free_gpu(small, {}, options) == "0"
    assert free_gpu(small, {"a": (small, "0", 0.0, None)}, options) == "1"
    assert free_gpu(large, {"a": (small, "0", 0.0, None)}, options) == "1"
    assert free_gpu(small, {"a": (large, "0", 0.0, None)}, options) == "1"
    full = {str(number): (small, str(number % 2), 0.0, None) for number in range(4)}
    assert free_gpu(small, full, options) is None


def test_every_way_waits_for_the_large_model_and_for_the_way_that_it_begins_from(tmp_path):
    parts = {part.name: part for part in make_parts(tmp_path, WAYS, 2)}
    for way in WAYS:
        assert LARGE in parts[way.name].after
        assert set(parts[way.name].after) == {LARGE, way.of or way.begins or LARGE}
    order = waits_behind(list(parts.values()))
    assert order[LAW] >= order[LARGE] > order[BASE] > order["rounds"]
