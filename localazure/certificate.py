"""The certificate of the parts that speak TLS: self-signed, for this machine alone, made at first start.

Parts that share a state directory share it, so that a client has one file to trust.
"""

from __future__ import annotations

import datetime
import fcntl
import ipaddress
import os
import ssl
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CERTIFICATE, _KEY = "certificate.pem", "certificate-key.pem"
_DAYS = 825
"""What the strictest clients accept."""
_LEFT = 30
"""A certificate with fewer days left is made anew."""


class ServerCertificate:
    """The certificate of one server. Without a state directory it lies in a temporary one until `close`."""

    def __init__(self, directory: Path | None) -> None:
        self._temporary = None
        if directory is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="localazure-")
            directory = Path(self._temporary.name)
        self.context = server_context(directory)
        self.file = directory / CERTIFICATE
        """What a client has to trust."""

    def close(self) -> None:
        if self._temporary is not None:
            self._temporary.cleanup()


def server_context(directory: Path) -> ssl.SSLContext:
    """For a server on localhost, with the certificate that is in `directory`, or is put there."""
    certificate, key = directory / CERTIFICATE, directory / _KEY
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "certificate.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # parts start side by side
        if not (certificate.exists() and key.exists() and _lasts(certificate)):
            _make(certificate, key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context


def _lasts(path: Path) -> bool:
    until = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    return until - datetime.datetime.now(datetime.UTC) > datetime.timedelta(days=_LEFT)


def _make(certificate: Path, key_file: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localazure")])
    addresses = [ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")]
    names = [x509.DNSName("localhost"), *map(x509.IPAddress, addresses)]
    now = datetime.datetime.now(datetime.UTC)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    usage = dict.fromkeys(
        """content_commitment key_encipherment data_encipherment key_agreement crl_sign encipher_only
        decipher_only""".split(),
        False,
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=True, key_cert_sign=True, **usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with os.fdopen(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(private)
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
