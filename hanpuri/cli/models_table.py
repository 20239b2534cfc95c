"""`hanpuri models`: what is shipped, how large, how good, as a table or JSON."""

import json

from hanpuri.compact.model_files import ModelFiles


def show(*, as_json: bool) -> None:
    """Print the shipped models with what their cards say."""
    models = list(ModelFiles.shipped())
    if as_json:
        fields = [{"name": files.name, "bytes": files.num_bytes, **files.card} for files in models]
        print(json.dumps(fields, ensure_ascii=False))
        return
    print(f"{'model':<8} {'size':>8}  {'reviews':>8} {'prose':>8} {'silver':>8} {'chars/s':>9}")
    for files in models:
        scores = files.card.get("char_accuracy", {})
        columns = " ".join(f"{scores.get(name, '-'):>8}" for name in ("reviews_gold", "prose_gold", "reviews_silver"))
        speed = files.card.get("chars_per_second", "-")
        print(f"{files.name:<8} {files.num_bytes / 1e6:>5.1f} MB  {columns} {speed:>9}")
    print("char_accuracy on the evaluation sets, chars/s on two CPU cores; the model cards say how they were measured")
