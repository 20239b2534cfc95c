"""
Two restorations ─► a token that remembers, without telling, which model made which of them.

In:  the models "base" and "small", the noisy text, and what each made of it.   Out: a token, such as

    eyJhdCI6MTc5NTM… . 7Yp0c2…      the left half is JSON that anybody can read, the right half its signature

    {"at": 1795309200, "models": ["base", "small"], "nonce": "5f0c…", "side": 1, "texts": "9b1e…"}

The JSON names the models in the order of the alphabet; `side` says whether they stand the other way round, turned over
by a bit that only the service can work out from `nonce`. Whoever votes cannot read the sides; the service needs to
remember nothing, and any worker of one start of it can open what another one signed.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
import unicodedata
from typing import Any

from hanpuri.serving.faults import ServiceFault

MAX_AGE_SECONDS = 24 * 60 * 60
AHEAD_SECONDS = 60
"""How far the clocks of two workers may be apart."""
MEND = "compare the text again with POST /v1/compare, and send what came back as it is"


def sign_comparison(
    secret: bytes, left_model: str, right_model: str, noisy: str, left: str, right: str, *, now: float | None = None
) -> str:
    """
    Sign which model made which text.

        >>> token = sign_comparison(b"secret", "small", "base", "확잠실", "확장실", "화장실")
        >>> read_comparison(b"secret", token, "확잠실", "확장실", "화장실")
        ('small', 'base')

    Args:
        secret: what the service signs with.
        left_model: the model of the left text.
        right_model: the model of the right text.
        noisy: the text that both were given.
        left: what the left model made of it.
        right: what the right model made of it.
        now: seconds since 1970, if not this moment.
    """
    nonce = secrets.token_hex(16)
    models = sorted((left_model, right_model))
    payload = {
        "at": int(time.time() if now is None else now),
        "models": models,
        "nonce": nonce,
        "side": int(models[0] != left_model) ^ _hidden_bit(secret, nonce),
        "texts": _digest(noisy, left, right),
    }
    encoded = _encode(json.dumps(payload, ensure_ascii=True, sort_keys=True, separators=(",", ":")).encode())
    return f"{encoded}.{_signature(secret, encoded)}"


def read_comparison(
    secret: bytes, token: str, noisy: str, left: str, right: str, *, now: float | None = None
) -> tuple[str, str]:
    """
    Give the models of the left and of the right text.

    Raises:
        ServiceFault: 422, if the service did not sign the token since it was started, if that was more than a day ago,
            or if the texts are not those that it was signed for (they may be in another normal form).
    """
    encoded, _, signature = token.partition(".")
    # As text, so that no second spelling of the same bytes is taken; a token with any other letters is no token.
    expected = _signature(secret, encoded)
    if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "surrogatepass")):
        found = "comparison: found a token that this service did not sign since it was started"
        raise ServiceFault(422, found, MEND)
    payload = _decode(encoded)
    age = (time.time() if now is None else now) - payload["at"]
    if not -AHEAD_SECONDS <= age <= MAX_AGE_SECONDS:
        found = f"comparison: found a token of {age / 3600:.0f} hours ago, expected one of the last 24 hours"
        raise ServiceFault(422, found, MEND)
    if not hmac.compare_digest(payload["texts"], _digest(noisy, left, right)):
        raise ServiceFault(422, "comparison: found other texts than those that were compared", MEND)
    first, second = payload["models"]
    swapped = payload["side"] ^ _hidden_bit(secret, payload["nonce"])
    return (second, first) if swapped else (first, second)


def _hidden_bit(secret: bytes, nonce: str) -> int:
    return hmac.digest(secret, b"side:" + nonce.encode(), "sha256")[0] & 1


def _signature(secret: bytes, encoded: str) -> str:
    return _encode(hmac.digest(secret, b"comparison:" + encoded.encode("utf-8", "surrogatepass"), "sha256"))


def _digest(*texts: str) -> str:
    """Hash texts so that no other division of the same characters has the same hash."""
    normal = [unicodedata.normalize("NFC", text) for text in texts]
    return hashlib.sha256(json.dumps(normal).encode()).hexdigest()


def _encode(found: bytes) -> str:
    return base64.urlsafe_b64encode(found).rstrip(b"=").decode()


def _decode(encoded: str) -> dict[str, Any]:
    """Read a payload whose signature is right: this service wrote it."""
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    return found
