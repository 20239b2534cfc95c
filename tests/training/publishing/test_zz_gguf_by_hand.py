import pytest, json
from hanpuri.training.publishing.publish import Options, publish
@pytest.mark.parametrize(("architecture","w"), [("gpt-neox","auto"),("llama","bf16"),("gpt-neox","bf16"),("qwen3","bf16")])
def test_gguf(make_run, tmp_path, architecture, w):
    p = publish(make_run(architecture, weights=w, scale=0.03), str(tmp_path / "out"), Options(gguf=("F16","Q8_0","Q4_K_M")))
    for c in p.converted: print("RES", architecture, w, c.name, c.note, c.comparison and ("typ %.2f larg %.1f max %.3g same %d ties %d parted %d top %.3f" % (c.comparison.typical, c.comparison.largest, c.comparison.max_difference, c.comparison.same_text, c.comparison.ties, c.comparison.parted, c.comparison.same_top)))
    print([(f.name,f.num_bytes) for f in p.files])
