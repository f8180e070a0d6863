"""What makes a RemoteError look like a call to grpc's sync stack."""

from typing import TYPE_CHECKING

import grpc

__all__ = ["FailedCall"]

if TYPE_CHECKING:
    FailedCall = object
else:

    class FailedCall(grpc.Call, grpc.Future):
        """A call that failed, for grpc's sync chain of interceptors.

        The chain passes the error of an inner interceptor to an outer one as if it were the call.
        Users do not need these methods, so the types leave them out.
        """

        def cancel(self):
            return False

        def cancelled(self):
            return False

        def is_active(self):
            return False

        def time_remaining(self):
            return None

        def running(self):
            return False

        def done(self):
            return True

        def add_callback(self, callback):  # noqa: ARG002  grpc's signature
            return False

        def result(self, timeout=None):  # noqa: ARG002  grpc's signature
            raise self

        def exception(self, timeout=None):  # noqa: ARG002  grpc's signature
            return self

        def traceback(self, timeout=None):  # noqa: ARG002  grpc's signature
            return self.__traceback__

        def add_done_callback(self, fn):
            fn(self)
