"""The contexts that handlers get on an asyncio server: they keep what a handler aborts with deliverable.

No interceptor can mend it afterwards: grpc marks the status as sent before it fails on OK, on a lone surrogate, on an
unknown code or on bad trailing metadata, and the client waits until its deadline. The abort of a sync streaming handler
there is lost in about half the runs (measured), and what a sync context has been told cannot be read back.
"""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Iterable
from types import TracebackType
from typing import Any, NoReturn

import grpc
import grpc.aio

from errgrpc.answering import Rpc, RpcAnswer
from errgrpc.codes import STATUSES, status_of
from errgrpc.guards import ask
from errgrpc.texts import clean
from errgrpc.wire.packing import Trailer

__all__ = ["Aborted", "AsyncContext", "SyncContext"]

Standing = Callable[..., RpcAnswer]
"""`Answering.standing` of the method: what a handler ended its RPC with, in values that grpc can send and that arrive."""


_WHILE_THE_LOOP_RUNS = 0.1  # seconds between two looks at it


def _details(details: object) -> str:
    return clean(details) if isinstance(details, str) else ""


class _Context:
    def __init__(self, context: Any, standing: Standing) -> None:
        self._context = context
        self._standing = standing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def set_details(self, details: str) -> None:
        self._context.set_details(_details(details))

    def _aborted(self, code: object, details: object, trailing_metadata: Any) -> RpcAnswer:
        """What an abort answers: UNKNOWN for what is not a failure, as sync grpc does; what was set before in place of
        what is empty."""
        text = "" if code is grpc.StatusCode.OK else _details(details) or self.details()
        # asyncio grpc takes numbers, too.
        status = (
            status_of(STATUSES.get(code) if isinstance(code, int) else code)
            or grpc.StatusCode.UNKNOWN
        )
        return self._standing(status, text, trailing_metadata, self.trailing_metadata())


class AsyncContext(_Context):
    """The context of an async handler; `sent` is the exception by which grpc says that a status has been sent."""

    sent: BaseException | None = None
    status: grpc.StatusCode | None = None
    """The status that has been sent."""
    aborted = False
    """Whether the handler has aborted."""
    _interrupted = _started = False

    async def write(self, message: Any) -> None:
        await self._send_first(self._context.write(message))

    async def send_initial_metadata(self, initial_metadata: Any) -> None:
        await self._send_first(self._context.send_initial_metadata(initial_metadata))

    async def _send_first(self, sending: Awaitable[None]) -> None:
        try:
            await sending
        except (asyncio.CancelledError, grpc.aio.BaseError):
            self._interrupted = True
            raise
        self._started = True
        vars(self)["write"] = self._context.write  # the others cost nothing

    def is_stuck(self) -> bool:
        """Whether grpc would refuse a status, and never free it: it sends the initial metadata along if those of a first
        message that was interrupted, mostly by a client that went, have not arrived."""
        return self._interrupted and not self._started

    async def abort(
        self, code: Any, details: str = "", trailing_metadata: Iterable[Trailer] = ()
    ) -> NoReturn:
        if self.sent is not None:
            raise grpc.aio.UsageError("Abort already called!")  # as grpc's own
        self.aborted = True
        await self.send(self._aborted(code, details, trailing_metadata))

    async def abort_with_status(self, status: grpc.Status) -> NoReturn:
        await self.abort(status.code, status.details, status.trailing_metadata or ())

    def rpc(self, method: str, gone: bool = False, trace: TracebackType | None = None) -> Rpc:
        """What it tells of the RPC."""
        context = self._context
        try:
            code, details = context.code(), context.details()
            metadata, trailers = context.invocation_metadata(), context.trailing_metadata()
        except BaseException:  # noqa: BLE001  of the wrapper of another interceptor
            code, details = ask(context, "code"), ask(context, "details")
            metadata, trailers = (
                ask(context, "invocation_metadata"),
                ask(context, "trailing_metadata"),
            )
        status = STATUSES.get(code) if issubclass(type(code), int) else code
        stuck = self._interrupted and not self._started
        metadata, trailers = (
            () if metadata is None else metadata,
            () if trailers is None else trailers,
        )
        return Rpc(
            method, metadata, trailers, status, details, gone=gone, stuck=stuck, traceback=trace
        )

    def details(self) -> str:
        return ask(self._context, "details") or ""

    def trailing_metadata(self) -> Iterable[Trailer]:
        return ask(self._context, "trailing_metadata") or ()

    async def cancel(self, uncoded: Standing) -> None:
        """Answers CANCELLED. If the call has ended, the answer goes nowhere."""
        if not self.is_stuck():
            with contextlib.suppress(grpc.aio.BaseError):
                await self.send(uncoded(grpc.StatusCode.CANCELLED, "", self.trailing_metadata()))

    async def send(self, answer: RpcAnswer) -> NoReturn:
        """Sends a status; raises what grpc raises, once it has."""
        # In place of what is empty grpc would send what was set before, bad trailing metadata included.
        if not answer.message:
            self._context.set_details("")
        if not answer.trailers:
            self._context.set_trailing_metadata(())
        self.status = answer.status
        try:
            await self._context.abort(answer.status, answer.message, answer.trailers)
        except BaseException as error:
            self.sent = error
            raise
        raise AssertionError("grpc.aio abort returned")


class Aborted(Exception):  # noqa: N818  a signal rather than an error
    """What a sync handler's abort raises, as grpc raises an exception there."""


class SyncContext(_Context):
    """The context of a sync handler on an asyncio server: what it aborts with is delivered when it has ended."""

    def __init__(self, context: Any, standing: Standing, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(context, standing)
        self.answer: RpcAnswer | None = None
        self._loop = loop
        self._code: Any = None
        self._details = ""
        self._trailers: Iterable[Trailer] = ()
        # At once: the thread may outlive the RPC, and then grpc would read memory that it has freed.
        self._invocation_metadata = ask(context, "invocation_metadata")

    @property
    def aborted(self) -> bool:
        """Whether the handler has aborted."""
        return self.answer is not None

    def invocation_metadata(self) -> Any:
        return self._invocation_metadata

    def abort(
        self, code: Any, details: str = "", trailing_metadata: Iterable[Trailer] = ()
    ) -> NoReturn:
        if self.answer is None:  # the first stands, as with asyncio grpc's own
            self.answer = self._aborted(code, details, trailing_metadata)
        raise Aborted

    def abort_with_status(self, status: grpc.Status) -> NoReturn:
        self.abort(status.code, status.details, status.trailing_metadata or ())

    def set_code(self, code: Any) -> None:
        self._context.set_code(code)
        self._code = code

    def set_details(self, details: str) -> None:
        super().set_details(details)
        self._details = _details(details)

    def set_trailing_metadata(self, trailing_metadata: Any) -> None:
        self._context.set_trailing_metadata(trailing_metadata)
        self._trailers = tuple(trailing_metadata)

    def code(self) -> Any:
        return self._code

    def rpc(self, method: str, gone: bool = False, trace: TracebackType | None = None) -> Rpc:
        """What it tells of the RPC."""
        status = STATUSES.get(self._code) if isinstance(self._code, int) else self._code
        stuck = not self._loop.is_running()
        return Rpc(
            method,
            self._invocation_metadata or (),
            self._trailers,
            status,
            self._details,
            gone=gone,
            stuck=stuck,
            traceback=trace,
        )

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> Iterable[Trailer]:
        return self._trailers

    def apply(self, answer: RpcAnswer) -> None:
        """Sets the status that the RPC ends with: an abort would be lost, and on the loop's thread it would deadlock."""
        if self.answer is None:
            self.answer = answer
        self._context.set_code(self.answer.status)
        self._context.set_details(self.answer.message)
        self._context.set_trailing_metadata(self.answer.trailers)

    def finish(self) -> None:
        """The handler has ended without an error: an abort that it swallowed still stands, as with sync grpc."""
        if self.answer is not None:
            self.apply(self.answer)

    def send(self, answer: RpcAnswer | None) -> None:
        """Does either for a handler of one response, which never runs on the loop's thread: it can abort, and has to.

        A status that is set goes out behind headers and a message; grpc's clients retry only what is a status alone.
        """
        answer = self.answer or answer
        if answer is not None:
            # else the abort would send what the handler had set in place of what is empty here
            self.apply(answer)
            # grpc's abort waits for the loop without a time limit: if the loop ends meanwhile, its thread would never end, and
            # the process with it. So a thread waits that does not hold the process up, and this one only while the loop runs.
            ended = threading.Event()
            threading.Thread(target=self._abort, args=(answer, ended), daemon=True).start()
            while self._loop.is_running() and not ended.wait(_WHILE_THE_LOOP_RUNS):
                pass

    def _abort(self, answer: RpcAnswer, ended: threading.Event) -> None:
        # grpc remembers the abort. Its exception, raised in a thread, is reported as lost when the client goes meanwhile.
        with contextlib.suppress(Exception):
            if self._loop.is_running():  # else nothing would await the coroutine that grpc makes
                self._context.abort(answer.status, answer.message, answer.trailers)
        ended.set()
