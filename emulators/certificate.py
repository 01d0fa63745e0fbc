"""A certificate of one's own for TLS on loopback: some clients insist on it."""

import datetime
import ipaddress
import os
import ssl
import tempfile
from pathlib import Path

from crossfade.errors import SettingsError

_DAYS = 7
_LOCAL = ("localhost", "127.0.0.1", "::1")


def server_context(host: str, certificate: Path) -> ssl.SSLContext:
    """Make a key and a certificate for this machine, and a TLS context that has both.

    The key goes to no lasting file; it ends with the process.

    Args:
        host: The address that is listened on; the certificate is for it and for localhost.
        certificate: Where the certificate is written (PEM), for clients to trust it.

    Raises:
        SettingsError: The library is missing, or the file cannot be written.
    """
    key_pem, certificate_pem = _make(host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # OpenSSL reads keys from files alone; mkstemp makes them with mode 0600.
    handle, name = tempfile.mkstemp(suffix=".pem")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(key_pem + certificate_pem)
        context.load_cert_chain(name)
    finally:
        os.unlink(name)
    try:
        certificate.write_bytes(certificate_pem)
    except OSError as error:
        raise SettingsError(
            f"cannot write the certificate {certificate}: {error.strerror}; name another file"
        ) from error
    return context


def client_context(certificate: Path) -> ssl.SSLContext:
    """A client's TLS context that trusts the certificate and no other."""
    return ssl.create_default_context(cafile=str(certificate))


def _make(host: str) -> tuple[bytes, bytes]:
    """A new key and its certificate, as PEM."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import ExtendedKeyUsageOID
    except ImportError as error:
        raise SettingsError(
            "TLS needs a certificate, and cryptography is not installed to make one; "
            "install crossfade[emulators]"
        ) from error

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "crossfade emulator")])
    now = datetime.datetime.now(datetime.UTC)
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=False,
        crl_sign=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )

    def general(address: str) -> x509.GeneralName:
        try:
            return x509.IPAddress(ipaddress.ip_address(address))
        except ValueError:
            return x509.DNSName(address)

    names = dict.fromkeys((*_LOCAL, host))
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # Clocks of containers may differ a little.
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName(list(map(general, names))), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(usage, critical=True)
        .add_extension(own, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own), critical=False
        )
    )
    certificate = builder.sign(key, hashes.SHA256())
    key_pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return key_pem, certificate.public_bytes(serialization.Encoding.PEM)
