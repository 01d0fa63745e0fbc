"""TLS on loopback with a certificate of one's own."""

import asyncio
import ssl
import sys
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from crossfade.emulators.certificate import client_context, server_context
from crossfade.emulators.moshi import MoshiEmulator
from crossfade.errors import SettingsError


@pytest.mark.realtime
def test_a_client_that_trusts_the_certificate_is_served_and_another_is_not(tmp_path: Path) -> None:
    certificate = tmp_path / "certificate.pem"

    async def main() -> None:
        context = server_context("127.0.0.1", certificate)
        async with MoshiEmulator(tls=context) as emulator:
            assert emulator.url.startswith("wss://127.0.0.1:")
            trusting = client_context(certificate)
            trusting.verify_flags |= ssl.VERIFY_X509_STRICT
            for url in (emulator.url, emulator.url.replace("127.0.0.1", "localhost")):
                async with connect(url, ssl=trusting) as connection:
                    assert await connection.recv() == b"\x00"
            with pytest.raises(ssl.SSLCertVerificationError):
                await connect(emulator.url, ssl=ssl.create_default_context())

    asyncio.run(main())
    # The key is in no file that stays.
    assert [path.name for path in tmp_path.iterdir()] == ["certificate.pem"]
    assert "PRIVATE" not in certificate.read_text()


def test_the_key_lies_in_a_file_of_ones_own_for_a_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    modes: list[int] = []

    class Context(ssl.SSLContext):
        def load_cert_chain(self, certfile: object, *_: object, **__: object) -> None:
            modes.append(Path(str(certfile)).stat().st_mode & 0o777)

    monkeypatch.setattr("ssl.SSLContext", Context)
    server_context("127.0.0.1", tmp_path / "certificate.pem")
    assert modes == [0o600]
    assert [path.name for path in tmp_path.iterdir()] == ["certificate.pem"]


def test_a_certificate_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot write the certificate"):
        server_context("127.0.0.1", tmp_path / "none" / "certificate.pem")


def test_without_the_library_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(SettingsError, match=r"install crossfade\[emulators\]"):
        server_context("127.0.0.1", tmp_path / "certificate.pem")
