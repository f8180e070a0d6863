"""Stands for the client library of an instant-messaging (IM) service: somebody else's code, which knows nothing of our codes.

The servers say with `translate=` which code its exceptions become.
"""

__all__ = ["Im", "UnreachableError"]


class UnreachableError(ConnectionError):
    """The IM service does not answer. The text is for our log alone: it names machines and accounts."""


class Im:
    def __init__(self) -> None:
        self.reachable = True

    def accepts(self, user_uuid: str, token: str) -> bool:
        """Whether it is this user's token (`im-` and the name). Raises UnreachableError."""
        if not self.reachable:
            raise UnreachableError("im-7.internal:8443 refused svc-classroom")
        return token == f"im-{user_uuid}"
