"""`hanpuri prepare`, as a process of its own."""

import json

import pytest

REVIEWS = [
    "방이 넓고 깨끗해서 좋았어요",
    "방이  넓고 깨끗해서 좋았어요!!",
    "사장님이 정말 친절하셨어요",
    "조식이 맛있고 종류가 많아요",
    "주차장이 좁아서 조금 불편했어요",
    "연락은 010-1234-5678로 주세요 꼭이요",
]


@pytest.fixture
def desk(tmp_path):
    lines = ["id,review", *(f"{number},{text}" for number, text in enumerate(REVIEWS))]
    (tmp_path / "reviews.csv").write_bytes("\r\n".join(lines).encode("cp949"))
    (tmp_path / "my.yaml").write_text(
        "kind: prepare\nname: reviews\nform: text\n"
        "sources: [{path: reviews.csv, fields: {text: review, id: id}}]\n"
        "clean: {mask: [phone]}\n"
        "split: {validation: 0, test: 0}\n",
        encoding="utf-8",
    )
    return tmp_path


def test_a_file_from_excel_becomes_a_training_set_and_the_summary_tells_how(hanpuri, desk):
    done = hanpuri("prepare", "my.yaml", "--processes", "1")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "          6 rows read",
        "         -1 exact_duplicate",
        "          5 in train",
        "warning: the train split has 5 rows, under 100: a model learns them by heart"
        "; add rows, or look below for the step that takes them",
        "warning: reviews.csv: read as cp949"
        "; look at these rows; then write the encoding into the recipe, or mend the file",
        "prepared/reviews/report.html tells more",
    ]
    assert "<svg" in (desk / "prepared" / "reviews" / "report.html").read_text(encoding="utf-8")


def test_json_gives_the_folder_and_all_facts(hanpuri, desk):
    facts = json.loads(hanpuri("prepare", "my.yaml", "--json", "--set", "augment.copies=2").out)
    assert (facts["folder"], facts["form"]) == ("prepared/reviews", "pairs")
    assert facts["sources"][0]["notes"] == ["reviews.csv: read as cp949"]
    assert facts["augmentation"]["copies"] == 10


def test_explain_tells_a_rows_way_by_id_and_by_place(hanpuri, desk):
    hanpuri("prepare", "my.yaml")
    assert hanpuri("prepare", "my.yaml", "--explain", "5").out.splitlines() == [
        "5  reviews.csv  reviews.csv:7",
        'read       {"text": "연락은 010-1234-5678로 주세요 꼭이요"}',
        "mask.phone text: '연락은 010-1234-5678로 주세요 꼭이요' → '연락은 [전화번호]로 주세요 꼭이요'",
        "split      train",
        'row        {"id": "5", "source": "reviews.csv", "where": "reviews.csv:7", '
        '"text": "연락은 [전화번호]로 주세요 꼭이요"}',
    ]
    ways = [hanpuri("prepare", "my.yaml", "--explain", f"reviews.csv:{line}").out for line in (2, 3)]
    assert sorted("left out   exact_duplicate, the row " in way for way in ways) == [False, True]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (
            ["my.yaml", "--explain", "77"],
            "hanpuri: prepared/reviews holds no finished preparation; run the same command without --explain first\n",
        ),
        (
            ["my.yml"],
            "hanpuri: no recipe is called 'my.yml'; shipped are base, chatbot-answers, conversations, open-corpus"
            ", restoration-pairs, small; give a recipe file, or one of these names\n",
        ),
        (
            ["base"],
            "hanpuri: {recipes}/base.yaml: kind is 'compact', expected one of prepare; write e.g. `kind: prepare`\n",
        ),
        (
            ["my.yaml", "--set", "sources.0.fields.text=revew"],
            'hanpuri: reviews.csv:1: found no column "revew" for text, expected one of: id, review'
            "; did you mean `fields: {text: review}`?\n",
        ),
        (
            ["my.yaml", "--set", "clean.mask=[fone]", "--set", "split.tset=0.1"],
            "hanpuri: my.yaml: clean.mask.0: Input should be 'email', 'resident', 'card' or 'phone' (found 'fone')"
            "; split.tset: no such key, did you mean test?; mend these keys, or see the shipped recipes\n",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(hanpuri, desk, arguments, error):
    from hanpuri.cli.recipes import SHIPPED

    done = hanpuri("prepare", *arguments)
    assert (done.code, done.out, done.err) == (2, "", error.replace("{recipes}", str(SHIPPED)))
