"""`hanpuri doctor`: what a bug report needs, and whether the shipped models work here."""

import json
import time
from collections.abc import Iterator

from hanpuri.compact.model_files import ModelFiles
from hanpuri.compact.restoring.runtime import Restorer
from hanpuri.errors import HanpuriError
from hanpuri.runs import count_usable_cpus, describe_environment

NOISY = "확잠실읾 념뭄 잙앙욤"


def show(*, as_json: bool) -> None:
    """Print the findings; a model that does not work is a fault."""
    checks = list(_try_models())
    findings = {**describe_environment(), "num_usable_cpus": count_usable_cpus(), "models": checks}
    if as_json:
        print(json.dumps(findings, ensure_ascii=False))
    else:
        for name, value in findings.items():
            if name not in ("models", "command"):
                print(f"{name:<16} {value}")
        for check in checks:
            print(f"model {check['name']:<10} {check['finding']}")
    broken = [check for check in checks if not check["works"]]
    if broken:
        raise HanpuriError(f"{len(broken)} of {len(checks)} models do not work", "install hanpuri again")


def _try_models() -> Iterator[dict[str, str | bool]]:
    """Restore a sentence with each shipped model."""
    for files in ModelFiles.shipped():
        started = time.perf_counter()
        try:
            text = Restorer(files.name).restore([NOISY])[0].text
            finding = f"{NOISY} → {text} in {time.perf_counter() - started:.2f} s"
            yield {"name": files.name, "works": True, "finding": finding}
        except HanpuriError as error:
            yield {"name": files.name, "works": False, "finding": str(error)}
