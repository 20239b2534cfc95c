"""
Rows as the files that others train on: OpenAI, Gemini, Alpaca, KoAlpaca, TRL; and back, with nothing lost.

In: rows of a prepared set. Out: a line a row in a provider's published format. One pair, as Alpaca has it:

    {"id": "7f3a", "noisy": "념뭄 좋핬써욘", "clean": "너무 좋았어요", "strength": 0.5}

    train.jsonl               {"instruction": "다음 문장은 …", "input": "념뭄 좋핬써욘", "output": "너무 좋았어요"}
    train.jsonl.rows.jsonl    {"form": "pairs", …, "row": {"id": "7f3a", "strength": 0.5}}
"""
