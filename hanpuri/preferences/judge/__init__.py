"""
Feedback of a model in the place of people's: a judge says which of two answers is better, or marks one.

In: pairs of answers, a recipe of `kind: judge`. Out: which is better, or that the judge does not know:

    recipe      judge.yaml                          ─►  JudgeRecipe(engine=…, rubric="…", by="verdict", orders="both")
    questions   {"noisy": "쨰밌어요"}, two answers  ─►  the rubric, the question, both answers between fences
    replies     "A가 맞춤법에 맞습니다.\\n판정: A"  ─►  "A"; None where no verdict stands
    asking      questions                           ─►  replies; what is none is asked again, with another seed
    judgements  "A" and, the other way round, "B"   ─►  "first"; "A" twice is a disagreement
    judge       Judge.compare, Judge.mark
    labelled    people.jsonl                        ─►  what people say of pairs
    agreement   labels and judgements               ─►  accuracy, Cohen's kappa, a table
    biases      judgements                          ─►  what the first place wins, what the longer answer wins
    feedback    a file of pairs or samples          ─►  preference rows, a ledger of the pairs that gave none
    page        all of this                         ─►  judge.html
"""

from hanpuri.preferences.judge.judge import Judge, open_judge
from hanpuri.preferences.judge.judgements import Heard, Judgement, Outcome

__all__ = ["Heard", "Judge", "Judgement", "Outcome", "open_judge"]
