import pathlib
import socket

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def hello():
    return ROOT / "examples" / "hello"


@pytest.fixture
def address():
    """One that is free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return "127.0.0.1:%d" % probe.getsockname()[1]
