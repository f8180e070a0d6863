"""What all tests share: a server of each style that lives as long as the run."""

from collections.abc import Iterator
from contextlib import ExitStack

import harness
import pytest


@pytest.fixture(scope="session")
def targets() -> Iterator[dict[str, str]]:
    """The address of a server of each style, guarded by ResCode."""
    with ExitStack() as stack:
        yield {style: stack.enter_context(harness.serve(style)) for style in harness.STYLES}


@pytest.fixture(params=harness.STYLES)
def target(request: pytest.FixtureRequest, targets: dict[str, str]) -> str:
    """The address of a guarded server, once for each style of handler."""
    return targets[request.param]


@pytest.fixture(params=harness.KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=harness.STACKS)
def stack(request: pytest.FixtureRequest) -> str:
    """The client's stack."""
    return request.param
