"""Hidden texts through a small network and back. In: a network that knows one rule. Out: what it reads."""

import pytest
import torch

from hanpuri.compact.editing.edits import EditVocabulary
from hanpuri.compact.editing.export import export_edits
from hanpuri.compact.editing.reader import EditReader, OnnxEditPredictor
from hanpuri.compact.model_files import ModelFiles
from hanpuri.compact.network import NetworkShape, RestorerNetwork
from hanpuri.compact.restoring.runtime import Restorer
from hanpuri.errors import ModelError

VOCABULARY = EditVocabulary("가나다라마방실장화", "\n.♡ㄱㅏ")


def network_that_deletes_hearts() -> RestorerNetwork:
    """Weights set by hand: syllables, the heart and the space have numbers of their own that the labels look at."""
    network = RestorerNetwork(NetworkShape(VOCABULARY.offsets[-1], VOCABULARY.num_labels, 64, 1)).eval()
    actions, inserts, _ = VOCABULARY.sizes
    with torch.no_grad():
        for weight in network.parameters():
            weight.zero_()
        table, head, bias = network.embedding.weight, network.head.weight, network.head.bias
        for label in range(1, len(VOCABULARY.syllables) + 1):
            table[VOCABULARY.offsets[3] + label, label] = head[label, label] = 3.0
        heart = int(VOCABULARY.encode("♡").features[1, 4])
        table[heart, 20] = head[VOCABULARY.delete, 20] = 3.0
        table[VOCABULARY.offsets[5] + 1, 21] = head[actions + inserts + 1, 21] = 3.0
        bias[[0, actions, actions + inserts]] = 4.0
    return network


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model that deletes hearts, with all that a model's folder holds."""
    files = ModelFiles(tmp_path_factory.mktemp("wide"))
    calibration = torch.from_numpy(VOCABULARY.encode("화♡장♡실♡ 가♡ 나다라마방.").features)[None]
    export_edits(network_that_deletes_hearts(), VOCABULARY, calibration, files.network)
    VOCABULARY.save(files.vocabulary)
    files.write_sums()
    return files.folder


@pytest.fixture(scope="module")
def reader(folder):
    return EditReader.load(folder, threads=1)


def test_what_the_network_says_is_written(reader):
    (reading,) = reader.read(["화♡장♡실♡ 가♡라♡"])
    assert reading.text == "화장실 가라"
    assert [(edit.start, edit.end, edit.restored) for edit in reading.edits] == [
        (1, 2, ""),
        (3, 4, ""),
        (5, 6, ""),
        (8, 9, ""),
        (10, 11, ""),
    ]
    assert all(0.5 < edit.confidence <= 1 for edit in reading.edits)
    assert len(reading.confidence) == len(reading.text)
    assert reading.confidence[3] == 1.0  # of a space


def test_results_depend_neither_on_the_neighbours_nor_on_threads(folder, reader):
    texts = ["화♡장♡실♡", "가♡", "", "나♡ 다♡" * 120, " 가  나♡ "]
    alone = [reader.read([text])[0] for text in texts]
    assert reader.read(texts) == alone
    assert EditReader.load(folder, threads=3).read(texts * 3) == alone * 3


def test_the_predictor_answers_three_questions(folder):
    predictor = OnnxEditPredictor.load(ModelFiles(folder))
    labels, sure = predictor.predict(VOCABULARY.encode("가♡나").features[None])
    assert labels.shape == sure.shape == (3, 1, 5)
    assert (labels.max((1, 2)) < VOCABULARY.sizes).all()
    assert ((sure > 0) & (sure <= 1)).all()


def test_texts_are_read_in_their_composed_form(reader):
    assert reader.read(["\u1100\u1161"])[0].noisy == "가"


def test_a_model_that_restores_is_none_that_edits():
    with pytest.raises(ModelError, match=r"holds a model that does not edit; name one that was trained to edit$"):
        EditReader.load("small")


def test_a_model_that_edits_is_none_that_restores(folder):
    with pytest.raises(ModelError, match=r"holds a model that edits; it is used by --reach wide; name another$"):
        Restorer(folder)
    assert ModelFiles(folder).edits


def test_a_damaged_model_is_refused(folder, tmp_path):
    files = ModelFiles(tmp_path)
    files.network.write_bytes(b"no network")
    files.vocabulary.write_bytes((folder / "vocabulary.json").read_bytes())
    files.write_sums()
    with pytest.raises(ModelError, match=r"model\.onnx cannot be loaded: "):
        EditReader.load(tmp_path)


# --- the shipped model


@pytest.fixture(scope="module")
def wide():
    return EditReader.load("wide", threads=1)


@pytest.mark.parametrize(
    ("hidden", "readable"),
    [
        ("침대ㄱr 푹신ㅎH서 좋았ㅇㅓ요", "침대가 푹신해서 좋았어요"),
        ("uri 가족 mo두 좋아했어요", "우리 가족 모두 좋아했어요"),
        ("ㅓㄴ격이 ㅓㄱ쁘지 않다", "가격이 나쁘지 않다"),
        ("卒업 여행二 재미있었다", "졸업 여행이 재미있었다"),
        ("조식이 ★ 맛있고 「직원이」 ♡ 친절해요 ≥ㅅ≤", "조식이 맛있고 직원이 친절해요"),
        ("화.장.실.이 더.러.워.요", "화장실이 더러워요"),
        ("오만랜에 갔는데 커엽다", "오랜만에 갔는데 귀엽다"),
        ("확잠실읾 념뭄 잙앙욤", "화장실이 너무 작아요"),
    ],
)
def test_the_shipped_model_reads_what_is_hidden(wide, hidden, readable):
    assert wide.read([hidden])[0].text == readable


@pytest.mark.parametrize(
    "clean",
    [
        "방이 깨끗하고 조용해요 ♡",
        "체크인은 15:00, 가격은 35,000원입니다. (조식 별도)",
        "Wi-Fi가 느려요 ㅠㅠ",
        "문의: help@hanpuri.kr",
        "★★★★☆ 다시 갈게요 ^^",
    ],
)
def test_the_shipped_model_leaves_clean_text_alone(wide, clean):
    assert wide.read([clean])[0].text == clean


def test_the_shipped_model_puts_spaces_right_if_it_is_asked(wide):
    assert wide.read(["방 이깨 끗 하고조용 해요"], spacing=True)[0].text == "방이 깨끗하고 조용해요"
    assert wide.read(["방이깨끗하고 조용해요"])[0].text == "방이깨끗하고 조용해요"
