"""The call that failed, as grpc's sync stack has it."""

from typing import TYPE_CHECKING

import grpc

__all__ = ["FailedCall"]

if TYPE_CHECKING:
    FailedCall = object
else:

    class FailedCall(grpc.Call, grpc.Future):
        """The call that failed, for grpc's sync interceptor chain: it hands the error of an inner interceptor to an outer
        one as if it were the call. Not for use, hence not in the types."""

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

        def add_callback(self, callback):  # noqa: ARG002
            return False

        def result(self, timeout=None):  # noqa: ARG002
            raise self

        def exception(self, timeout=None):  # noqa: ARG002
            return self

        def traceback(self, timeout=None):  # noqa: ARG002
            return self.__traceback__

        def add_done_callback(self, fn):
            fn(self)
