"""
The experiments of docs/experiments.md: a llama from nothing, what is made of it, and what each step adds.

    python -m benchmarks.llm_experiments.pretraining law …      small runs, the law, what it foretells of the large one
    python -m benchmarks.llm_experiments.pretraining large …    the large run
    python -m benchmarks.llm_experiments.restoring …            the grid of fine-tuning runs
    python -m benchmarks.llm_experiments.answering …            questions and answers
    python -m benchmarks.llm_experiments.computed               memory and time of larger models
    python -m benchmarks.llm_experiments.plots                  the law and its runs

Each goes on where it was cut off. What was measured is kept in `results/`, a file a part; `write_tables.py` writes the
tables of the page from it, and what was not run stands there as not run.
"""
