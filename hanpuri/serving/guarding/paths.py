"""
Which paths are what to the guards.

In: "/v1/restore".  Out: that it needs a key, and that nobody may keep its answers.
"""

from starlette.types import Scope

API = "/v1/"
CHAT = "/v1/chat/"
METRICS = "/metrics"


def path_of(scope: Scope) -> str:
    """
    Give the path as the endpoints know it, without that under which a proxy shows the service.

        >>> path_of({"path": "/restorer/v1/models", "root_path": "/restorer"}), path_of({"path": "/v1/models"})
        ('/v1/models', '/v1/models')
    """
    path, root = str(scope["path"]), str(scope.get("root_path", "")).rstrip("/")
    return path.removeprefix(root) if path.startswith(f"{root}/") else path


def needs_key(path: str) -> bool:
    """
    Say whether a path is for those with a key: all that restores or tells; the page and the documentation are open.

        >>> needs_key("/v1/restore"), needs_key("/metrics"), needs_key("/"), needs_key("/healthz")
        (True, True, False, False)
    """
    return path.startswith(API) or path == METRICS
