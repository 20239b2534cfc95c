"""The pairs that are made here are what training learns from, whichever way they were made."""

import pytest

from hanpuri.preferences.corrections import Correction, pairs_from_corrections
from hanpuri.preferences.mistakes import mine_mistakes
from hanpuri.preferences.pairs import Gathered, write_lines
from hanpuri.preferences.sampling import pairs_from_scores
from tests.preferences.drawn_rows import DrawingEngine, row_of, sampled

NOISY = ["확잠실읾 념뭄 잙앙욤", "뷰갸 녀뮤 좋핬써욘", "빵니 카릅잊 컸써욧", "쭈찬짱위 넓섯 펺헸써욘"]
CLEAN = ["화장실이 너무 작아요", "뷰가 너무 좋았어요", "방이 가까이 컸어요", "주차장이 넓어서 편했어요"]
WRONG = ["화장실이 나무 작아요", "", "방이 가깝이 컸어요", "주차장이 넓어 편했어요"]
TALK = [{"role": "user", "content": "주차장이 있나요?"}]


def mistakes() -> Gathered:
    rows = [row_of(noisy, clean, number) for number, (noisy, clean) in enumerate(zip(NOISY, CLEAN, strict=True))]
    drawn = {noisy: [wrong] for noisy, wrong in zip(NOISY, WRONG, strict=True)}
    return mine_mistakes(DrawingEngine(drawn), rows, empty=True)


def scores() -> Gathered:
    asked = {"instruction": "요약해 줘", "input": "방이 크고 창이 넓다"}, {"messages": TALK}, {"instruction": "네?"}
    return pairs_from_scores([sampled(("네, 그래요", 1.0), ("아니요", 0.0), **fields) for fields in asked])


def corrections() -> Gathered:
    said = [
        Correction(f"a.jsonl:{number}", *texts, "a", None)
        for number, texts in enumerate(zip(NOISY, [one or "뷰" for one in WRONG], CLEAN, strict=True))
    ]
    return pairs_from_corrections(said).gathered


@pytest.mark.parametrize(("made", "template"), [(mistakes, "restoration"), (scores, "chat"), (corrections, "plain")])
def test_every_pair_is_read_and_becomes_tokens(tmp_path, tokenizer_of, made, template):
    from hanpuri.data.chats import choose_template
    from hanpuri.data.examples import Counts
    from hanpuri.data.records.forms import open_rows
    from hanpuri.training.feeding.pairs import iterate_pairs
    from hanpuri.training.prompting import make_prompting
    from hanpuri.training.recipe import AskSettings

    pairs = made()
    write_lines(tmp_path / "pairs.jsonl", pairs.rows)
    tokenizer = tokenizer_of("bytes", "chatml")
    prompting = make_prompting(choose_template(template, tokenizer, "last"), tokenizer)
    reading = open_rows(tmp_path / "pairs.jsonl", None, None)
    counts = Counts()
    read = list(iterate_pairs(reading.records(), prompting, tokenizer, AskSettings(), counts))
    assert (reading.form, len(read), counts.dropped) == ("preference", len(pairs.rows), {})


def test_a_model_learns_from_its_own_mistakes(tmp_path, tokenizer_folder, monkeypatch):
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from hanpuri.training.recipe import DpoRecipe
    from hanpuri.training.train import train

    monkeypatch.setattr("hanpuri.training.loop.watching.Watch.draw_curves", lambda self, *, now=False: None)
    fast = AutoTokenizer.from_pretrained(tokenizer_folder("bytes"))
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4}
    ids = {"bos_token_id": fast.bos_token_id, "eos_token_id": fast.eos_token_id, "pad_token_id": fast.pad_token_id}
    torch.manual_seed(0)
    LlamaForCausalLM(LlamaConfig(vocab_size=len(fast), **sizes, **ids)).save_pretrained(tmp_path / "tiny")
    fast.save_pretrained(tmp_path / "tiny")
    write_lines(tmp_path / "pairs.jsonl", mistakes().rows)
    recipe = {
        **{"kind": "dpo", "name": "tried", "model": {"path": str(tmp_path / "tiny")}, "adapter": {"r": 4}},
        **{
            "data": {"path": tmp_path / "pairs.jsonl", "validation_share": 0.25},
            "examples": {"template": "restoration"},
        },
        **{"training": {"steps": 2, "batch_size": 2, "learning_rate": 1e-3}, "watch": {"evaluate_every": 2}},
    }
    trained = train(DpoRecipe.model_validate(recipe), tmp_path / "run", measures={}, device="cpu")
    assert (trained.finished, trained.step) == (True, 2)
    assert trained.result["train_rows"] == 3
