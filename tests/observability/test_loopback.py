import selectors
import socket

from crossfade.observability.loopback import LoopbackLedger


class Watching(dict[int, selectors.SelectorKey]):
    """A selector's map in which the given file descriptors are read from."""

    def __init__(self, *fds: int) -> None:
        super().__init__(
            (fd, selectors.SelectorKey(fd, fd, selectors.EVENT_READ, None)) for fd in fds
        )


def connected_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
    return near, far


def test_bytes_are_in_flight_from_send_to_receive() -> None:
    ledger = LoopbackLedger()
    near, far = (ledger.adopt(sock) for sock in connected_pair())
    with near, far:
        watched = Watching(near.fileno(), far.fileno())
        assert not ledger.anything_in_flight(watched)
        near.send(b"12345678")
        assert ledger.anything_in_flight(watched)
        far.setblocking(True)
        far.recv(4)
        assert ledger.anything_in_flight(watched)
        far.recv_into(bytearray(8))
        assert not ledger.anything_in_flight(watched)


def test_bytes_to_an_end_that_is_not_read_or_is_closed_are_not_waited_for() -> None:
    ledger = LoopbackLedger()
    near, far = (ledger.adopt(sock) for sock in connected_pair())
    with near:
        near.send(b"1234")
        assert not ledger.anything_in_flight(Watching(near.fileno()))
        watched = Watching(near.fileno(), far.fileno())
        far.close()
        assert not ledger.anything_in_flight(watched)


def test_a_socket_pair_of_other_than_ip_is_left_alone() -> None:
    ledger = LoopbackLedger()
    left, right = socket.socketpair()
    with left, right:
        assert ledger.adopt(left) is left
