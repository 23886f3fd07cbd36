"""What a server takes of the machine before it begins: ports and open files."""

import resource
import socket

import pytest

from hubchat.server import CannotListen, PortTaken, listen, raise_open_files
from tests.servers import free_port


def close(sockets: list[socket.socket]) -> None:
    for one in sockets:
        one.close()


def test_a_name_means_all_its_addresses_at_one_port(monkeypatch: pytest.MonkeyPatch) -> None:
    def two_addresses(*_: object, **__: object) -> list[object]:
        return [(socket.AF_INET, 0, 0, "", (address, 0)) for address in ("127.0.0.1", "127.0.0.2", "127.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", two_addresses)
    sockets = listen("localhost", 0)
    names = [one.getsockname() for one in sockets]
    close(sockets)
    assert [address for address, _ in names] == ["127.0.0.1", "127.0.0.2"]
    assert len({port for _, port in names}) == 1


def test_whoever_comes_before_the_start_is_done_waits_and_is_not_refused() -> None:
    sockets = listen("127.0.0.1", 0)
    with socket.create_connection(sockets[0].getsockname(), timeout=2):
        close(sockets)


def test_a_port_is_taken_by_whoever_listens_on_any_of_its_addresses() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as theirs:
        port = theirs.getsockname()[1]
        for host in ("127.0.0.1", "localhost", "0.0.0.0"):
            with pytest.raises(PortTaken, match=f"port {port} is taken; name another one by --port"):
                listen(host, port)


def test_two_hubs_never_share_a_port() -> None:
    sockets = listen("127.0.0.1", 0)
    with pytest.raises(PortTaken):
        listen("127.0.0.1", sockets[0].getsockname()[1])
    close(sockets)


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_of_another_machine_is_told(host: str) -> None:
    with pytest.raises(CannotListen, match="no address of this machine"):
        listen(host, 0)


def test_as_many_files_are_opened_as_the_machine_grants() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, before[1]), before[1]))
    try:
        assert raise_open_files() == (before[1], before[1])
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
