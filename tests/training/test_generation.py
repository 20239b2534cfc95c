"""Answers: the same alone and in a batch, no broken syllable, and a model in training comes back as it was."""

from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForCausalLM, GenerationConfig

from hanpuri.data.chats import choose_template
from hanpuri.data.examples import prompt_ids
from hanpuri.data.records.records import Record
from hanpuri.data.templates import Rendered, Segment, load_template
from hanpuri.data.tokenizers import load_tokenizer
from hanpuri.errors import DataError
from hanpuri.training import writing
from hanpuri.training.decoding import Decoding, Ends, read_answer
from hanpuri.training.generation import generate, make_answer_scorer
from hanpuri.training.recipe import GenerationSettings

ARCHITECTURES = ("llama", "qwen3", "gemma", "gemma2", "gemma3", "gpt-neox")
POSITIONS = 512
QUESTIONS = ["방이 넓고 침대가 아주 편했어요", "바다", "주차장은 넓은데 들어가는 길이 좁습니다. 그래도 좋았어요"]
SHORT = Decoding(max_new_tokens=12)


def prompts_of(*texts):
    template = load_template("koalpaca")
    return [template.prompt({"instruction": text}, f"faq:{number}") for number, text in enumerate(texts, 1)]


@pytest.fixture(scope="module")
def loaded(tiny_model):
    """A model of an architecture with its tokenizer."""
    made = {}

    def load(architecture="llama"):
        if architecture not in made:
            folder = tiny_model(architecture)
            made[architecture] = AutoModelForCausalLM.from_pretrained(folder), load_tokenizer(folder)
        return made[architecture]

    return load


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("temperature", [0, 0.5])
def test_a_prompt_gets_the_same_answer_alone_and_beside_others(loaded, architecture, temperature):
    model, tokenizer = loaded(architecture)
    decoding = Decoding(max_new_tokens=12, temperature=temperature, seed=3)
    prompts = prompts_of(*QUESTIONS)
    together = generate(model, tokenizer, prompts, decoding)
    assert together == [generate(model, tokenizer, [prompt], decoding)[0] for prompt in prompts]
    assert len({answer.text for answer in together}) > 1 or architecture == "gemma"  # random weights that say ":"
    small = Decoding(max_new_tokens=12, temperature=temperature, seed=3, batch_size=2)
    assert generate(model, tokenizer, prompts[::-1], small) == together[::-1]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_prompts_with_more_and_less_room_are_answered_together_each_to_its_last_position(loaded, architecture):
    model, tokenizer = loaded(architecture)
    prompts = prompts_of(*["방이 넓어요 " * count for count in (159, 155, 161)])
    lengths = [len(prompt_ids(prompt, tokenizer)) for prompt in prompts]
    assert POSITIONS - 60 < min(lengths) < max(lengths) < POSITIONS
    decoding = Decoding(max_new_tokens=400)
    together = generate(model, tokenizer, prompts, decoding)
    assert together == [generate(model, tokenizer, [prompt], decoding)[0] for prompt in prompts]
    cut = [length + answer.num_tokens for length, answer in zip(lengths, together, strict=True) if not answer.finished]
    assert cut == [POSITIONS] * len(cut)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("temperature", [0, 0.5])
def test_rows_that_are_done_leave_their_batch_and_the_others_are_answered_as_alone(
    loaded, architecture, temperature, monkeypatch
):
    model, tokenizer = loaded(architecture)
    monkeypatch.setattr(writing, "STRETCH", 3)
    prompts = prompts_of(*QUESTIONS, "네", "조식이 나오는 시간을 알려 주세요")
    decoding = Decoding(max_new_tokens=24, temperature=temperature, seed=3)
    sizes = count_rows(model, monkeypatch)
    longest = [24, 5, 17, 3, 11]
    together = generate(model, tokenizer, prompts, decoding, longest=longest)
    assert sorted(sizes, reverse=True) == sizes
    assert {5, 4, 3, 2, 1} == set(sizes) or architecture == "gemma"
    alone = [
        generate(model, tokenizer, [one], decoding, longest=[most])[0]
        for one, most in zip(prompts, longest, strict=True)
    ]
    assert together == alone
    assert [one.num_tokens for one in together] == longest or architecture == "gemma"


def count_rows(model, monkeypatch):
    """How many rows the model reads at each step, from now on."""
    sizes, forward = [], model.forward

    def counting(*args, **kwargs):
        sizes.append(len(kwargs["input_ids"]))
        return forward(*args, **kwargs)

    monkeypatch.setattr(model, "forward", counting)
    return sizes


def test_no_prompt_has_no_answer(loaded):
    assert generate(*loaded(), [], SHORT) == []


def test_an_answer_ends_before_its_stop_token_and_its_stop_text(loaded):
    model, tokenizer = loaded()
    prompts = prompts_of(QUESTIONS[0])
    (whole,) = generate(model, tokenizer, prompts, SHORT)
    assert (whole.num_tokens, whole.finished) == (12, False)
    ids = written(model, tokenizer, prompts[0])
    (answer,) = generate(model, tokenizer, prompts, SHORT, stop_ids=[ids[7]])
    end = ids.index(ids[7])
    assert (answer.text, answer.num_tokens, answer.finished) == (tokenizer.decode(ids[:end]), end, True)
    stop = whole.text[3:5]
    (answer,) = generate(model, tokenizer, prompts, SHORT, stop_text=stop)
    assert (answer.text, answer.finished) == (whole.text.partition(stop)[0], True)
    assert answer.num_tokens < 12
    several = replace(SHORT, stop=("없는 말", whole.text[5:8]))
    assert generate(model, tokenizer, prompts, several, stop_text=stop) == [answer]
    (later,) = generate(model, tokenizer, prompts, replace(SHORT, stop=(stop,)), before=whole.text[:5])
    assert later.text.startswith(whole.text[:5])


def written(model, tokenizer, prompt):
    """What a model writes greedily, by its logits alone."""
    ids = prompt_ids(prompt, tokenizer)
    start = len(ids)
    with torch.no_grad():
        for _ in range(12):
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    return ids[start:]


def test_greedy_takes_the_likeliest_token_whatever_the_models_own_settings_say(loaded):
    model, tokenizer = loaded()
    prompts = prompts_of(*QUESTIONS)
    ids = written(model, tokenizer, prompts[0])
    before = generate(model, tokenizer, prompts, SHORT)
    assert before[0].text == read_answer(ids, tokenizer, Ends()).text
    own = model.generation_config
    try:
        model.generation_config = GenerationConfig(
            do_sample=True, temperature=2.0, top_k=3, repetition_penalty=3.0, suppress_tokens=[ids[0]], min_length=400
        )
        assert generate(model, tokenizer, prompts, SHORT) == before
        model.generation_config = GenerationConfig(eos_token_id=[0, ids[5]])
        stopped = generate(model, tokenizer, prompts[:1], SHORT)[0]
        assert (stopped.num_tokens, stopped.finished) == (ids.index(ids[5]), True)
    finally:
        model.generation_config = own


def test_drawing_is_decided_by_the_seed_and_no_random_number_of_the_training_is_used(loaded):
    model, tokenizer = loaded()
    prompts = prompts_of(*QUESTIONS)
    state = torch.random.get_rng_state()
    first, again, other = (
        generate(model, tokenizer, prompts, Decoding(max_new_tokens=12, temperature=1.0, seed=seed))
        for seed in (1, 1, 2)
    )
    assert first == again != other
    assert torch.equal(state, torch.random.get_rng_state())


def test_drawing_gives_each_token_its_share(loaded):
    model, tokenizer = loaded()
    (prompt,) = prompts_of(QUESTIONS[1])
    temperature = 0.035
    with torch.no_grad():
        logits = model(torch.tensor([prompt_ids(prompt, tokenizer)])).logits[0, -1]
    shares, order = torch.softmax(logits.double() / temperature, 0).sort(descending=True)
    likeliest = tokenizer.decode([int(order[0])])
    drawn = dict.fromkeys((1.0, float(shares[0]) + 0.01, 1e-6), 0)
    for top_p in drawn:
        for seed in range(40):
            decoding = Decoding(max_new_tokens=1, temperature=temperature, top_p=top_p, seed=seed)
            (answer,) = generate(model, tokenizer, [prompt], decoding)
            drawn[top_p] += answer.text == likeliest
    first, second = float(shares[0]), float(shares[1])
    assert 0.2 < first < 0.8
    # within three standard deviations
    expected = [first, first / (first + second), 1.0]
    for count, share in zip(drawn.values(), expected, strict=True):
        assert abs(count / 40 - share) <= 3 * (share * (1 - share) / 40) ** 0.5


def test_a_model_in_training_comes_back_as_it_was(loaded, tiny_model):
    from peft import LoraConfig, get_peft_model

    model, tokenizer = AutoModelForCausalLM.from_pretrained(tiny_model()), loaded()[1]
    prompts = prompts_of(*QUESTIONS)
    plain = generate(model, tokenizer, prompts, SHORT)
    adapted = get_peft_model(model, LoraConfig(target_modules="all-linear", lora_dropout=0.5, init_lora_weights=False))
    adapted.gradient_checkpointing_enable()
    adapted.config.use_cache = False
    adapted.eval()
    expected = generate(adapted, tokenizer, prompts, SHORT)
    adapted.train()
    frozen = adapted.get_base_model().model.norm
    frozen.eval()
    own, state = adapted.get_base_model().generation_config, torch.random.get_rng_state()
    assert generate(adapted, tokenizer, prompts, SHORT) == expected != plain
    assert [module for module in adapted.modules() if not module.training] == [frozen]
    assert (adapted.config.use_cache, adapted.is_gradient_checkpointing) == (False, True)
    assert adapted.get_base_model().generation_config is own
    assert torch.equal(state, torch.random.get_rng_state())


def test_a_model_in_4_bits_answers(tiny_model, loaded):
    from hanpuri.training.loading.models import load_model
    from hanpuri.training.recipe import ModelSettings, QuantizationSettings

    settings = ModelSettings(path=str(tiny_model()), quantization=QuantizationSettings(compute="fp32"))
    model = load_model(settings, learns_whole=False, device="cpu")
    (answer,) = generate(model, loaded()[1], prompts_of(QUESTIONS[0]), SHORT)
    assert answer.num_tokens == 12


def test_an_answer_ends_at_the_models_last_position(loaded):
    model, tokenizer = loaded()
    template = load_template("plain")
    prompts = [template.prompt({"instruction": text}, text[:1]) for text in ("바다 " * 252, "가", "바다 " * 253)]
    together = generate(model, tokenizer, prompts, SHORT)
    assert [answer.num_tokens for answer in together] == [POSITIONS - 505, 12, POSITIONS - 507]


# what is asked, what is said
WRONG = [
    # as many tokens as positions
    (
        [Segment("바다 " * 256, False)],
        "faq:3: found a prompt of 512 tokens, expected under 512, the model's positions; shorten it",
    ),
    ([], "faq:3: found an empty prompt, expected a text; leave it out"),
    # a sign to the model, typed as text
    (
        [Segment("네</s>", False)],
        "faq:3: found the special token </s> spelled out in the text, which is a sign to the model;"
        " take it out of the text",
    ),
]


@pytest.mark.parametrize(("segments", "message"), WRONG)
def test_a_prompt_that_cannot_be_asked_is_named(loaded, segments, message):
    prompt = Rendered("faq:3", tuple(segments), tuple(segment.text for segment in segments))
    with pytest.raises(DataError) as error:
        generate(*loaded(), [*prompts_of(*QUESTIONS), prompt], SHORT)
    assert str(error.value) == message


def test_the_scorer_scores_what_the_model_writes_against_what_it_was_to_learn(loaded):
    model, tokenizer = loaded()
    rows = [
        Record({"instruction": text, "input": "", "output": f"{text} 네."}, "", "faq", f"faq:{number}")
        for number, text in enumerate(QUESTIONS, 1)
    ]
    asked = {}

    def remember(hypotheses, references):
        asked["hypotheses"], asked["references"] = hypotheses, references
        return 0.25

    settings = GenerationSettings(max_new_tokens=12, batch_size=2, measures=("exact_match",))
    scorer = make_answer_scorer(rows, load_template("koalpaca"), tokenizer, settings, {"exact_match": remember})
    assert scorer.last == ()
    assert scorer(model) == {"exact_match": 0.25, "unfinished": 1.0}
    assert asked["references"] == [f"{text} 네." for text in QUESTIONS]  # without the space of the template
    expected = generate(model, tokenizer, prompts_of(*QUESTIONS), SHORT)
    assert asked["hypotheses"] == [answer.text.removeprefix(" ") for answer in expected]
    assert [(one.where, one.reference) for one in scorer.last] == [
        (f"faq:{number}", f"{text} 네.") for number, text in enumerate(QUESTIONS, 1)
    ]


@pytest.mark.parametrize("chat", ["chatml", "llama", "gemma", "qwen3"])
def test_the_reference_of_a_conversation_is_its_last_answer(loaded, tokenizer_of, chat):
    model, _ = loaded()
    tokenizer = tokenizer_of("bytes", chat)
    messages = [
        {"role": "user", "content": "바다가 보이나요?"},
        {"role": "assistant", "content": "네."},
        {"role": "user", "content": "어디서요?"},
        {"role": "assistant", "content": "2층에서 보여요."},
    ]
    rows = [Record({"messages": messages}, "", "talk", "talk:1")]
    settings = GenerationSettings(max_new_tokens=4)
    template = choose_template("chat", tokenizer, "last")
    scorer = make_answer_scorer(rows, template, tokenizer, settings, {})
    scorer(model)
    (answered,) = scorer.last
    assert answered.reference == "2층에서 보여요."
    assert "네." in answered.prompt
    assert answered.prompt.count("2층") == 0
