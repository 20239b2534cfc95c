"""
The shipped LLM recipes on a GPU, as they are: memory, speed, and how near the pre-flight came.

In: recipes, the folders and corpora that they name, and no weights: a model of the true shape is made on the spot with
random ones, and a tokenizer of the true size, of which the part for Korean is trained here and the rest are tokens that
no text has. Memory and time do not hang on what weights say; scores do, and are not looked at.   Out: a line a recipe:

    python -m benchmarks.recipes_on_gpu --work /tmp/models --prepared prepared --corpora corpus/open [--tiny] [--write]

Changed of a recipe are model.path, where the data lie, the number of steps, how often is looked, how many answers are
written and how long. Each recipe is a process of its own; they read and render side by side and take the GPU in turns.
Besides, one run is ended by kill -9 in its middle and goes on, and one is merged and proved (`hanpuri publish`). --tiny
shrinks the models, for a processor.

recipes_on_gpu.json holds what was measured on 2026-11-22: two of the four recipes, for want of time on the GPU, and it
names what was not. A run's peak is that of its evaluations too: with a model in 4 bits, answers take more than a step.
"""
