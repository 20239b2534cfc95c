"""
What people, measures, models and judges prefer: from answers to rewards, and from rewards to rows to learn from.

In: answers of a model, and what tells how good they are. Out: rewards that training can learn by, pairs of a better and
a worse answer, the best answers alone. `rewards` opens what an answer is rewarded with; `mistakes`, `sampling` and
`corrections` make pairs of what there is, `sampling` keeps the best of several answers, `judge` asks another model.
"""
