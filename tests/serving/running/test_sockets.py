"""
Addresses that a service can listen at, and those that it cannot.

In: hosts and ports. Out: a bound socket and how it is written, or one line.
"""

import pytest

from hanpuri.errors import EngineError
from hanpuri.serving.running.sockets import address_of, bind


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("127.0.0.1", "127.0.0.1:"),
        # another address of this machine alone
        ("127.0.0.2", "127.0.0.2:"),
        # IPv6, with and without the brackets of the web
        ("::1", "[::1]:"),
        ("[::1]", "[::1]:"),
    ],
)
def test_an_address_is_bound_and_written_as_the_web_does(host, found):
    with bind(host, 0) as bound:
        assert address_of(bound).startswith(found)


@pytest.mark.parametrize(
    ("host", "fault"),
    [
        # another machine's
        ("203.0.113.7", "203.0.113.7 is no address of this machine; give one of its own, or 0.0.0.0 for all"),
        # no name that a machine can have
        ("방.invalid..", "no address is known of the host '방.invalid..'; give an address of this machine"),
    ],
)
def test_an_address_that_cannot_be_had_is_one_line(host, fault):
    with pytest.raises(EngineError) as raised, bind(host, 0):
        pass
    assert str(raised.value) == fault
