"""Stands for the client library of an instant-messaging (IM) service.

Such a library belongs to another team and does not know the codes of this service. The servers say
with `translate=` which code its exceptions become.
"""

__all__ = ["Im", "UnreachableError"]


class UnreachableError(ConnectionError):
    """The IM service does not answer. The text is only for the log: it names machines."""


class Im:
    def __init__(self) -> None:
        self.reachable = True

    def accepts(self, user_uuid: str, token: str) -> bool:
        """Returns whether the token is the user's: `im-` and the name. Raises UnreachableError."""
        if not self.reachable:
            raise UnreachableError("im-7.internal:8443 refused svc-classroom")
        return token == f"im-{user_uuid}"
