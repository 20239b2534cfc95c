"""
hanpuri (한풀이, "untangling Hangul"): restore obfuscated Korean, and the road from raw text to a served model.

    >>> import hanpuri
    >>> hanpuri.restore("확잠실읾 념뭄 잙앙욤")
    '화장실이 너무 작아요'

The door: `restore`, `obfuscate`, `Restorer`, `Restoration`. Importing it loads no model and no heavy library.
"""

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hanpuri.compact.restoring.restoration import Restoration
    from hanpuri.compact.restoring.runtime import Reach, Restorer
    from hanpuri.noise.obfuscate import Obfuscation, obfuscate

__version__ = "0.1.0"
__all__ = ["Obfuscation", "Restoration", "Restorer", "__version__", "obfuscate", "restore"]

_ROOMS = {
    "Restorer": "hanpuri.compact.restoring.runtime",
    "Restoration": "hanpuri.compact.restoring.runtime",
    "Obfuscation": "hanpuri.noise.obfuscate",
    "obfuscate": "hanpuri.noise.obfuscate",
}


def restore(text: str, *, model: str = "base", reach: "Reach" = "syllables") -> str:
    """
    Restore one text; the model is loaded at the first call and kept.

    Length, spacing and every character outside 가–힣 stay as they are in the text's NFC form, unless the reach is wide.

        >>> restore("뷰갸 녀뮤 좋핬써욘 😀")
        '뷰가 너무 좋았어요 😀'
        >>> restore("ㄱr격二 녀뮤 비싸욘", reach="wide")
        '가격이 너무 비싸요'

    Raises:
        ModelError: if there is no such model.
        ValueError: if there is no such reach.
    """
    return _restorer(model, reach).restore([text])[0].text


@cache
def _restorer(model: str, reach: "Reach") -> "Restorer":
    from hanpuri.compact.restoring.runtime import Restorer

    return Restorer(model, reach=reach)


def __getattr__(name: str) -> Any:
    """Load a room when its name is first asked for, so that `import hanpuri` costs nothing."""
    if name not in _ROOMS:
        raise AttributeError(f"module 'hanpuri' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_ROOMS[name]), name)
