"""
The recipe in the words of TRL: what its trainer is told.

In: a recipe, `epochs: 2, batch_size: 8, warmup: 0.03`. Out: what its trainer wants, such as an SFTConfig,
`num_train_epochs=2, …`. When to look, to save and to stop is left to `engine`, so that one place decides it; nobody
else is told of the run here.
"""

from pathlib import Path
from typing import Any

from hanpuri.training.recipe import TrainRecipe

LOWEST_RATE = 0.1  # of the peak, where cosine_with_min_lr ends


def make_arguments(
    recipe: TrainRecipe, folder: Path, trainer: Any, *, device: str, precision: str, learns_in_fp32: bool
) -> Any:
    """
    Translate a recipe.

    Args:
        recipe: the recipe.
        folder: where the trainer may write.
        trainer: its class, which knows what its kind alone is told.
        device: "cpu" or "cuda".
        precision: fp32, bf16 or fp16, what is computed in.
        learns_in_fp32: whether the weights that learn are held in fp32; computing in 16 bits is then autocast's work,
            else the weights themselves are what is computed in.
    """
    told = recipe.training
    make, own = trainer.settings(recipe)
    arguments = make(
        output_dir=str(folder),
        run_name=recipe.name,
        project=recipe.watch.project,
        seed=recipe.seed,
        data_seed=recipe.seed,
        num_train_epochs=told.epochs or 1.0,
        max_steps=told.steps or -1,
        per_device_train_batch_size=told.batch_size,
        per_device_eval_batch_size=told.batch_size,
        gradient_accumulation_steps=told.accumulation,
        learning_rate=told.learning_rate,
        lr_scheduler_type=told.schedule,
        lr_scheduler_kwargs={"min_lr_rate": LOWEST_RATE} if told.schedule == "cosine_with_min_lr" else None,
        warmup_steps=told.warmup,
        optim=told.optimizer,
        weight_decay=told.weight_decay,
        adam_beta2=told.beta2,
        max_grad_norm=told.max_grad_norm,
        gradient_checkpointing=told.gradient_checkpointing,
        gradient_checkpointing_kwargs={"use_reentrant": False} if told.gradient_checkpointing else None,
        bf16=learns_in_fp32 and precision == "bf16",
        fp16=learns_in_fp32 and precision == "fp16",
        ddp_find_unused_parameters=False,  # none is unused, and looking for them costs each step
        use_cpu=device == "cpu",
        dataloader_pin_memory=device != "cpu",
        remove_unused_columns=False,
        logging_strategy="no",
        eval_strategy="no",
        save_strategy="no",
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        report_to="none",
        **own,
    )
    if arguments.n_gpu > 1:
        # One process uses one GPU: DataParallel, which transformers would take, does not know TRL's loss.
        arguments._n_gpu = 1
    return arguments
