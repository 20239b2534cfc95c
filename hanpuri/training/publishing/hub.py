"""
A finished folder ─► a repository of the Hugging Face hub.

In: a folder and "mina/faq-llama". Out: the address of the repository, or one line on what the hub said.

The token is the one that huggingface_hub finds: HF_TOKEN of the environment, or that of `hf auth login`. It is handed
to nobody here: no line, log or file of ours holds it, and what the library says in an error is searched for it.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hanpuri.errors import HanpuriError, ModelError


def check_repository(name: str, *, private: bool, force: bool) -> None:
    """
    See that the hub can be written to, before anything is merged.

    Args:
        name: "user/name".
        private: whether nobody else may read it.
        force: whether a repository that is there may be written into.

    Raises:
        ModelError: if there is no token, the hub does not take it or cannot be reached, or the repository is there.
    """
    if _token() is None:
        raise ModelError("found no token for the hub, expected one to push with", "set HF_TOKEN, or: hf auth login")
    api = _api()
    with _one_line(name):
        user = api.whoami()
        owners = {user["name"], *(org["name"] for org in user.get("orgs", ()))}
        is_private = api.model_info(name).private if api.repo_exists(name) else None
    if name.partition("/")[0] not in owners:
        found = f"{name}: found the token of {', '.join(sorted(owners))}, expected one of {name.partition('/')[0]}"
        raise ModelError(found, "give your own name, or the token of this user")
    if is_private is None:
        return
    if not force:
        raise ModelError(f"{name}: found a repository of that name", "give another name, or --force to write into it")
    if is_private != private:  # who can read it stays as it is, whatever is asked for
        found, expected = ("a private", "a public") if is_private else ("a public", "a private")
        raise ModelError(
            f"{name}: found {found} repository, expected {expected} one",
            f"change it on the hub, or say --{'private' if is_private else 'public'}",
        )


def push(folder: Path, name: str, *, private: bool) -> str:
    """
    Make the repository if there is none, and write the folder into it as one commit; give its address.

    Raises:
        ModelError: if the hub refuses or cannot be reached; the folder stays, to be pushed again.
    """
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    api, quiet = _api(), are_progress_bars_disabled()
    mend = f"the finished folder is {folder}: mend that, and publish again, or: hf upload {name} {folder}"
    disable_progress_bars()
    try:
        with _one_line(name, mend), warnings.catch_warnings():
            # The client hands bytes to its HTTP library in a manner that this one no longer likes.
            warnings.filterwarnings("ignore", "Use 'content=", DeprecationWarning)
            url = api.create_repo(name, private=private, exist_ok=True)
            api.upload_folder(repo_id=name, folder_path=folder, commit_message="Published by hanpuri")
    finally:
        if not quiet:
            enable_progress_bars()
    return str(url)


def _api() -> Any:
    from huggingface_hub import HfApi

    return HfApi(endpoint=os.environ.get("HF_ENDPOINT"), library_name="hanpuri")


def _token() -> str | None:
    from huggingface_hub import get_token

    token: str | None = get_token()
    return token


@contextmanager
def _one_line(name: str, mend: str = "look at the network, the name and the rights of the token") -> Iterator[None]:
    """Turn whatever the client raises into one line without the token."""
    try:
        yield
    except HanpuriError:
        raise
    except Exception as error:  # the client's own errors, those of its HTTP library, of the disk
        reason = error.__cause__ or error  # the client wraps what happened to a file in "Error while uploading"
        told = (str(reason).strip() or type(reason).__name__).splitlines()[0]
        raise ModelError(f"{name}: the hub was not reached or refused ({_without_token(told)})", mend) from None


def _without_token(text: str) -> str:
    token = _token()
    return text.replace(token, "…") if token else text
