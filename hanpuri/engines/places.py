"""
Where the model of an engine lies, found before its library is loaded: a wrong path is told at once.

In: EngineSettings(engine="transformers", model="runs/faq").   Out: nothing, or what is wrong; of a path the folders:

    find_model("runs/faq")  ─►  (models/qwen3, runs/faq/adapter)
"""

from contextlib import suppress
from pathlib import Path

from hanpuri.engines.settings import EngineSettings
from hanpuri.errors import ModelError


def check_place(settings: EngineSettings) -> None:
    """
    See that a model in files is there; servers are asked when the engine is opened, and so are its contents.

    Raises:
        ModelError: if there is no such model.
    """
    match settings.engine:
        case "compact":
            from hanpuri.compact.model_files import ModelFiles

            ModelFiles.find_all(settings.model or "base")
        case "llamacpp":
            from hanpuri.engines.llamacpp import find_file

            find_file(Path(settings.model))
        case "transformers" | "vllm":
            with suppress(ImportError):  # opening the engine says which library is not installed
                find_model(settings.model)


def find_model(path: str) -> tuple[Path, Path | None]:
    """
    Find what a path means: a model's folder, and the adapter's folder if there is one to lay on it.

    Raises:
        ModelError: if there is no such model, it may not be read, or the adapter's base is not there.
    """
    try:
        return _find_model(path)
    except OSError as error:
        found = f"{path} cannot be read: {error.strerror}"
        raise ModelError(found, "see that this user may read the folder and what is in it") from None


def _find_model(path: str) -> tuple[Path, Path | None]:
    from hanpuri.training.loading.adapters import adapter_place, read_base
    from hanpuri.training.loading.models import ADAPTER, model_place

    run = Path(path)
    has_model = any((place / "config.json").is_file() for place in (run, run / "model"))
    if has_model or not any((place / ADAPTER).is_file() for place in (run, run / "adapter")):
        return model_place(path), None
    adapter = adapter_place(path)
    base = read_base(adapter)
    try:
        return model_place(base), adapter
    except ModelError as error:
        raise ModelError(f"{adapter}: its base is not here: {error.message}", error.mend) from None
