"""The whole pre-flight, on tiny models."""

import io
import json

from rich.console import Console

from hanpuri.training.preflight.preflight import preflight
from hanpuri.training.preflight.rendering import show


def test_what_is_found_is_shown_and_kept(parts, make_recipe):
    given = parts()
    checked = preflight(make_recipe(given.model.name_or_path), device="cpu", **given.as_arguments())
    out = io.StringIO()
    show(checked, Console(file=out, width=100))
    print(out.getvalue())
    json.dumps(checked.as_dict())
