"""
`hanpuri keys`: makes, lists and takes away the keys of a service.

    $ hanpuri keys add web
    hanpuri_3q2-7w…

Only the key goes to standard output, so that it can be piped into where secrets are kept.
"""

import json
import sys
from pathlib import Path
from typing import Any

USUAL_FILE, USUAL_RATE = Path("keys.json"), 600

EXAMPLES = """
[bold]Examples[/bold]

  hanpuri keys add web --file keys.json

  hanpuri keys add nightly --file keys.json --requests-per-minute 6000

  hanpuri keys list --file keys.json --json

  hanpuri keys remove web --file keys.json
"""


def add(path: Path, name: str, requests_per_minute: int, *, as_json: bool) -> None:
    """Make a key and print it."""
    from hanpuri.serving.guarding.key_file import add_key

    key = add_key(path, name, requests_per_minute)
    print(json.dumps({"name": name, "key": key, "file": str(path)}, ensure_ascii=False) if as_json else key)
    print(f"{path} keeps only its hash: this is the one time that the key is told", file=sys.stderr)


def show(path: Path, *, as_json: bool) -> None:
    """Print who has a key."""
    from hanpuri.serving.guarding.key_file import StoredKey, read_keys

    def about(key: StoredKey) -> dict[str, Any]:
        return {"name": key.name, **key.model_dump(mode="json", exclude={"name", "sha256"})}

    keys = read_keys(path)
    if as_json:
        print("".join(json.dumps(about(key), ensure_ascii=False) + "\n" for key in keys), end="")
        return
    width = max([len("name"), *(len(key.name) for key in keys)])
    print(f"{'name':<{width}}  {'created':<20}  requests per minute")
    for key in keys:
        print(f"{key.name:<{width}}  {about(key)['created']:<20}  {key.requests_per_minute:>19,}")


def remove(path: Path, name: str, *, as_json: bool) -> None:
    """Take a key away."""
    from hanpuri.serving.guarding.key_file import remove_key

    remove_key(path, name)
    if as_json:
        print(json.dumps({"name": name, "removed": True}, ensure_ascii=False))
    else:
        print(f"{name} is removed from {path}", file=sys.stderr)
