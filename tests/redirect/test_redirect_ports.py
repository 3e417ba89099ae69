"""Which sockets are bound, and which redirect URI comes of it."""

import errno
import socket
import time
from collections.abc import Callable, Generator

import pytest

from oidcclient._shell.redirect import Limits, LoopbackReceiver, binding
from oidcclient._words.errors import LocalError, LoginCancelled, UsageError
from oidcclient._words.ways import Loopback
from tests.redirect.visitor import STATE, OpenReceiver, connect, host_of, need_ipv6, visit

QUICK = Limits(port_retry_seconds=0.02)
Take = Callable[..., int]


@pytest.fixture
def take() -> Generator[Take]:
    """Let another program have a port."""
    others: list[socket.socket] = []

    def take_one(address: str = "127.0.0.1", port: int = 0) -> int:
        other = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        others.append(other)
        other.bind((address, port))
        other.listen()
        taken: int = other.getsockname()[1]
        return taken

    yield take_one
    for other in others:
        other.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listening(opened: object) -> list[socket.socket]:
    listeners: list[socket.socket] = opened.receiver._server._listeners  # type: ignore[attr-defined]  # looks inside
    return listeners


def test_the_redirect_uri_is_made_of_the_bound_socket_with_no_slash_added(open_receiver: OpenReceiver) -> None:
    opened = open_receiver()
    (listener,) = listening(opened)
    address, port = listener.getsockname()
    assert address == "127.0.0.1"
    assert opened.redirect_uri == f"http://127.0.0.1:{port}/callback"
    assert opened.start.startswith(f"http://127.0.0.1:{port}/start/")
    assert len(opened.start.rpartition("/")[2]) >= 128 / 6


@pytest.mark.parametrize("path", ["/", "/callback/", "/cb/https%3A", "/a.b/c"])
def test_a_path_is_used_byte_for_byte(open_receiver: OpenReceiver, path: str) -> None:
    if "%" in path:
        with pytest.raises(UsageError):
            Loopback(path=path)
        return
    opened = open_receiver(Loopback(path=path))
    assert opened.redirect_uri.endswith(f":{listening(opened)[0].getsockname()[1]}{path}")
    assert visit(opened.redirect_uri).status == 400


def test_a_provider_may_have_a_default_path_of_its_own() -> None:
    receiver = LoopbackReceiver(Loopback(), default_path="/callback/acme")
    try:
        assert receiver.open(STATE).endswith("/callback/acme")
    finally:
        receiver.close()
    with pytest.raises(UsageError):
        LoopbackReceiver(Loopback(), default_path="callback")


def test_two_sign_ins_share_nothing(open_receiver: OpenReceiver) -> None:
    one, two = open_receiver(), open_receiver()
    assert one.redirect_uri != two.redirect_uri
    assert one.start.rpartition("/")[2] != two.start.rpartition("/")[2]


def test_ipv6_is_used_where_it_is_asked_for(open_receiver: OpenReceiver) -> None:
    need_ipv6()
    opened = open_receiver(Loopback(host="::1"))
    (listener,) = listening(opened)
    assert opened.redirect_uri == f"http://[::1]:{listener.getsockname()[1]}/callback"
    opened.still_works()


def test_ipv6_is_used_where_there_is_no_ipv4(open_receiver: OpenReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    need_ipv6()
    real = binding._bind

    def only_ipv6(address: str, port: int) -> socket.socket:
        if address == "127.0.0.1":
            raise OSError(errno.EADDRNOTAVAIL, "no such address")
        return real(address, port)

    monkeypatch.setattr(binding, "_bind", only_ipv6)
    assert open_receiver().redirect_uri.startswith("http://[::1]:")


def test_localhost_binds_both_families_on_one_port(open_receiver: OpenReceiver) -> None:
    need_ipv6()
    opened = open_receiver(Loopback(host="localhost"))
    bound = [listener.getsockname()[:2] for listener in listening(opened)]
    port = bound[0][1]
    assert bound == [("127.0.0.1", port), ("::1", port)]
    assert opened.redirect_uri == f"http://localhost:{port}/callback"
    for address in ("127.0.0.1", "::1"):
        assert visit(opened.redirect_uri, address=address).status == 400
    for host in ("127.0.0.1", "[::1]"):
        assert visit(opened.redirect_uri, address="127.0.0.1", host=f"{host}:{port}").status == 400
    assert visit(opened.redirect_uri, address="127.0.0.1", host=f"evil.example:{port}").status == 421


def test_localhost_fails_where_another_program_has_the_other_half(take: Take) -> None:
    need_ipv6()
    port = take("::1")
    receiver = LoopbackReceiver(Loopback(host="localhost", ports=(port,)), limits=QUICK)
    with pytest.raises(LocalError, match=f"{port} is taken"):
        receiver.open(STATE)
    with socket.socket() as free_again:
        free_again.bind(("127.0.0.1", port))  # the half that was bound was let go


def test_localhost_without_ipv6_fails_and_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    real = binding._bind

    def only_ipv4(address: str, port: int) -> socket.socket:
        if address == "::1":
            raise OSError(errno.EADDRNOTAVAIL, "no such address")
        return real(address, port)

    monkeypatch.setattr(binding, "_bind", only_ipv4)
    with pytest.raises(LocalError) as failure:
        LoopbackReceiver(Loopback(host="localhost")).open(STATE)
    assert "127.0.0.1" in failure.value.hint
    assert failure.value.rule == "address"


def test_an_ip_literal_binds_just_that_one(open_receiver: OpenReceiver) -> None:
    need_ipv6()
    opened = open_receiver()
    port = listening(opened)[0].getsockname()[1]
    with socket.socket(socket.AF_INET6) as other:
        other.bind(("::1", port))


def test_a_taken_port_gives_way_to_the_next_of_the_list(open_receiver: OpenReceiver, take: Take) -> None:
    taken, free = take(), free_port()
    opened = open_receiver(Loopback(ports=(taken, free)), QUICK)
    assert host_of(opened.redirect_uri) == f"127.0.0.1:{free}"


def test_when_all_ports_are_taken_the_error_names_them(take: Take) -> None:
    one, two = take(), take()
    receiver = LoopbackReceiver(Loopback(ports=(one, two)), limits=QUICK)
    with pytest.raises(LocalError, match=f"{one} is taken by another program, {two} is taken") as failure:
        receiver.open(STATE)
    assert failure.value.rule == "ports"
    assert "other ports" in failure.value.hint
    receiver.close()


def test_a_fixed_port_is_tried_five_times_with_pauses(take: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    port = take()
    pauses: list[float] = []
    with pytest.raises(LocalError):
        binding.listen(Loopback(ports=(port,)), Limits(), pauses.append)
    assert pauses == [0.3] * 4


def test_a_port_that_is_free_again_is_taken(open_receiver: OpenReceiver) -> None:
    """Nothing we leave behind is in TIME_WAIT: the browser closes first, and what is idle is reset."""
    port = free_port()
    for _ in range(3):
        opened = open_receiver(Loopback(ports=(port,)), Limits(port_tries=1))
        idle = connect(opened.redirect_uri)
        visit(opened.at("/favicon.ico"))
        opened.still_works()
        opened.receiver.close()
        idle.close()


@pytest.mark.parametrize(
    ("number", "words"), [(errno.EACCES, "is not allowed"), (errno.EIO, "EIO"), (None, "unknown error")]
)
def test_a_port_that_the_system_keeps_is_named_and_not_tried_again(
    monkeypatch: pytest.MonkeyPatch, number: int | None, words: str
) -> None:
    tried: list[int] = []

    def kept(address: str, port: int) -> socket.socket:
        tried.append(port)
        raise OSError(number, "no") if number else OSError("no")

    monkeypatch.setattr(binding, "_bind", kept)
    with pytest.raises(LocalError, match=f"3128 .*{words}.*any free port"):
        LoopbackReceiver(Loopback(ports=(3128, 0))).open(STATE)
    assert tried == [3128, 0]


def test_nobody_can_bind_over_us(open_receiver: OpenReceiver) -> None:
    (listener,) = listening(open_receiver())
    assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR) == 0
    if hasattr(socket, "SO_REUSEPORT"):
        assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT) == 0
    for option in ("SO_REUSEADDR", "SO_REUSEPORT"):
        with socket.socket() as other:
            if hasattr(socket, option):
                other.setsockopt(socket.SOL_SOCKET, getattr(socket, option), 1)
            with pytest.raises(OSError, match=r".") as refusal:
                other.bind(listener.getsockname())
            assert refusal.value.errno in {errno.EADDRINUSE, errno.EACCES}


def test_on_windows_the_port_is_bound_exclusively(monkeypatch: pytest.MonkeyPatch, open_receiver: OpenReceiver) -> None:
    """SO_EXCLUSIVEADDRUSE exists there alone; another option stands in for it elsewhere."""
    monkeypatch.setattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_KEEPALIVE, raising=False)
    (listener,) = listening(open_receiver())
    assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_all_interfaces_are_bound_only_if_the_caller_says_so(open_receiver: OpenReceiver) -> None:
    opened = open_receiver(Loopback(bind_address="0.0.0.0"))  # noqa: S104 - what a container needs
    (listener,) = listening(opened)
    assert listener.getsockname()[0] == "0.0.0.0"  # noqa: S104 - what a container needs
    assert opened.redirect_uri.startswith("http://127.0.0.1:")
    opened.still_works()
    need_ipv6()
    assert open_receiver(Loopback(bind_address="::")).redirect_uri.startswith("http://[::1]:")
    assert open_receiver(Loopback(bind_address="::", host="localhost")).redirect_uri.startswith("http://localhost:")


@pytest.mark.parametrize("address", ["", "localhost", "127.0.0", "0.0.0.0/0", "a\x00b"])
def test_a_bind_address_is_an_ip_address(address: str) -> None:
    with pytest.raises(UsageError, match="bind_address"):
        LoopbackReceiver(Loopback(bind_address=address)).open(STATE)


def test_the_port_listens_before_anybody_hears_of_it(open_receiver: OpenReceiver) -> None:
    for _ in range(20):
        assert visit(open_receiver().redirect_uri).status == 400


def test_cancel_ends_the_tries_for_a_port(take: Take) -> None:
    receiver = LoopbackReceiver(Loopback(ports=(take(), 0)), limits=Limits(port_retry_seconds=30))
    receiver.cancel()
    began = time.monotonic()
    with pytest.raises(LoginCancelled):
        receiver.open(STATE)
    assert time.monotonic() - began < 1
    receiver.close()


def test_a_receiver_is_opened_once_with_a_state() -> None:
    receiver = LoopbackReceiver(Loopback())
    assert receiver.start_uri is None
    with pytest.raises(UsageError, match="state"):
        receiver.open("")
    with pytest.raises(UsageError, match="open"):
        receiver.wait(0)
    receiver.open(STATE)
    with pytest.raises(UsageError, match="once"):
        receiver.open(STATE)
    receiver.close()
