"""The contexts that handlers get on an asyncio server. They keep aborts deliverable.

An interceptor cannot repair these cases afterwards:

- An abort has the code OK, an unknown code, a lone surrogate or bad trailing metadata. grpc marks
  the status as sent before it fails. The client waits until its deadline.
- A sync streaming handler aborts. The status is lost in about half of the runs (measured).
- A sync handler sets a status. grpc has no way to read it back.
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
"""`Answering.standing` of the method. It turns an abort into values that grpc can send."""


_WHILE_THE_LOOP_RUNS = 0.1  # seconds between two checks of the loop


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
        """Returns the answer to an abort.

        If the code is not a failure, the status is UNKNOWN, as in grpc's sync stack. If the text or
        the trailing metadata are empty, what the handler set before is used.
        """
        text = "" if code is grpc.StatusCode.OK else _details(details) or self.details()
        # grpc.aio accepts numbers, too.
        status = (
            status_of(STATUSES.get(code) if isinstance(code, int) else code)
            or grpc.StatusCode.UNKNOWN
        )
        return self._standing(status, text, trailing_metadata, self.trailing_metadata())


class AsyncContext(_Context):
    """The context of an async handler.

    `sent` is the exception that grpc raises after it has sent a status.
    """

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
        vars(self)["write"] = self._context.write  # later writes skip this method

    def is_stuck(self) -> bool:
        """Tells whether grpc would refuse a status, and never end the call.

        The first message carries the initial metadata. If it was interrupted, mostly because the
        client went away, grpc sends them again with the status, which fails.
        """
        return self._interrupted and not self._started

    async def abort(
        self, code: Any, details: str = "", trailing_metadata: Iterable[Trailer] = ()
    ) -> NoReturn:
        if self.sent is not None:
            raise grpc.aio.UsageError("Abort already called!")  # the text of grpc.aio
        self.aborted = True
        await self.send(self._aborted(code, details, trailing_metadata))

    async def abort_with_status(self, status: grpc.Status) -> NoReturn:
        await self.abort(status.code, status.details, status.trailing_metadata or ())

    def rpc(self, method: str, gone: bool = False, trace: TracebackType | None = None) -> Rpc:
        """Reads from the context what it knows of the call."""
        context = self._context
        try:
            code, details = context.code(), context.details()
            metadata, trailers = context.invocation_metadata(), context.trailing_metadata()
        except BaseException:  # noqa: BLE001  from the wrapper of another interceptor
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
        """Answers CANCELLED. If the call has ended, nothing is sent."""
        if not self.is_stuck():
            with contextlib.suppress(grpc.aio.BaseError):
                await self.send(uncoded(grpc.StatusCode.CANCELLED, "", self.trailing_metadata()))

    async def send(self, answer: RpcAnswer) -> NoReturn:
        """Sends a status, and raises what grpc raises after that."""
        # If an argument of `abort` is empty, grpc sends what was set before, even bad trailing
        # metadata.
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
    """What the abort of a sync handler raises. grpc raises an exception there, too."""


class SyncContext(_Context):
    """The context of a sync handler on an asyncio server. It aborts after the handler has ended."""

    def __init__(self, context: Any, standing: Standing, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(context, standing)
        self.answer: RpcAnswer | None = None
        self._loop = loop
        self._code: Any = None
        self._details = ""
        self._trailers: Iterable[Trailer] = ()
        # Read now: the thread may outlive the call, and grpc would then read memory that it has
        # freed.
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
        if self.answer is None:  # the first abort wins, as in grpc.aio
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
        """Returns what the context knows of the call."""
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
        """Sets the status that the call ends with.

        An abort would be lost here. On the thread of the loop, it would deadlock.
        """
        if self.answer is None:
            self.answer = answer
        self._context.set_code(self.answer.status)
        self._context.set_details(self.answer.message)
        self._context.set_trailing_metadata(self.answer.trailers)

    def finish(self) -> None:
        """Handles the end of a handler that raised nothing.

        If the handler caught the exception of its abort, the abort still counts, as in grpc's sync
        stack.
        """
        if self.answer is not None:
            self.apply(self.answer)

    def send(self, answer: RpcAnswer | None) -> None:
        """Aborts with the answer of a handler of one response, if there is an answer.

        Such a handler never runs on the thread of the loop, so it can abort. It also must: grpc's
        clients retry only if they receive a status alone. A status that is only set is sent after
        headers and a message.
        """
        answer = self.answer or answer
        if answer is not None:
            # If an argument of the abort is empty, grpc sends what the handler had set, so that is
            # replaced.
            self.apply(answer)
            # grpc's abort waits for the loop without a time limit. If the loop ends before, the
            # waiting thread never ends, and keeps the process alive. So a daemon thread aborts, and
            # this thread waits only while the loop runs.
            ended = threading.Event()
            threading.Thread(target=self._abort, args=(answer, ended), daemon=True).start()
            while self._loop.is_running() and not ended.wait(_WHILE_THE_LOOP_RUNS):
                pass

    def _abort(self, answer: RpcAnswer, ended: threading.Event) -> None:
        # grpc remembers the abort, so its exception is not needed. If the client goes away, Python
        # would log that exception as unhandled.
        with contextlib.suppress(Exception):
            if self._loop.is_running():  # else grpc makes a coroutine that nothing awaits
                self._context.abort(answer.status, answer.message, answer.trailers)
        ended.set()
