"""Certificates and RSA, as policies read a caller's certificate or sign with a key of their own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from localazure.apim.expressions.casting import CLASSES
from localazure.apim.expressions.failures import Thrown, not_null, throw
from localazure.apim.expressions.table import declare, enumeration
from localazure.apim.expressions.times import DateTime
from localazure.apim.expressions.types import derive


@dataclass(frozen=True)
class Certificate:
    """X509Certificate2: a certificate, and its private key where it came with one."""

    read: x509.Certificate
    key: Any = None


@dataclass(frozen=True)
class Rsa:
    """RSA: `private` is `None` for the key of a certificate without one."""

    public: rsa.RSAPublicKey
    private: rsa.RSAPrivateKey | None = None


CLASSES["X509Certificate2"] = Certificate
CLASSES["RSA"] = Rsa


def _guarded(run: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(*given: Any) -> Any:
        try:
            return run(*given)
        except Thrown:
            raise
        except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
            throw("CryptographicException", str(exc) or "The parameter is incorrect.")

    return guarded


@_guarded
def _read(content: bytes, password: str | None = None) -> Certificate:
    """From DER, PEM, or PKCS #12 with its password."""
    held = bytes(not_null(content))
    if held.lstrip().startswith(b"-----BEGIN"):
        return Certificate(x509.load_pem_x509_certificate(held))
    try:
        return Certificate(x509.load_der_x509_certificate(held))
    except ValueError:
        key, certificate, _ = pkcs12.load_key_and_certificates(held, (password or "").encode() or None)
    if certificate is None:
        raise ValueError("The PKCS #12 file holds no certificate.")
    return Certificate(certificate, key)


def _name(name: x509.Name) -> str:
    return ", ".join(part.rfc4514_string() for part in reversed(list(name.rdns)))


def _simple(held: Certificate, kind: str, issuer: bool) -> str:
    name = held.read.issuer if issuer else held.read.subject
    wanted = NameOID.EMAIL_ADDRESS if kind == "EmailName" else NameOID.COMMON_NAME
    return next((str(attribute.value) for attribute in name.get_attributes_for_oid(wanted)), "")


def _thumbprint(held: Certificate) -> str:
    return hashlib.sha1(_raw(held), usedforsecurity=False).hexdigest().upper()


def _raw(held: Certificate) -> bytes:
    return held.read.public_bytes(serialization.Encoding.DER)


def _serial(held: Certificate) -> str:
    number = held.read.serial_number
    return number.to_bytes(max(1, (number.bit_length() + 8) // 8), "big").hex().upper()


def _public(held: Certificate) -> Rsa | None:
    key = held.read.public_key()
    return Rsa(key) if isinstance(key, rsa.RSAPublicKey) else None


def _private(held: Certificate) -> Rsa | None:
    return Rsa(held.key.public_key(), held.key) if isinstance(held.key, rsa.RSAPrivateKey) else None


derive("X509Certificate2", "X509Certificate")
derive("X500DistinguishedName")
enumeration("X509NameType", **{name: name for name in ("SimpleName", "EmailName", "DnsName", "UpnName")})
declare("X500DistinguishedName", {"string Name": _name})
declare(
    "X509Certificate2",
    {
        "static X509Certificate2 new(byte[])": _read,
        "static X509Certificate2 new(byte[], string)": _read,
        "string Subject": lambda held: _name(held.read.subject),
        "string Issuer": lambda held: _name(held.read.issuer),
        "X500DistinguishedName SubjectName": lambda held: held.read.subject,
        "X500DistinguishedName IssuerName": lambda held: held.read.issuer,
        "string Thumbprint": _thumbprint,
        "string SerialNumber": _serial,
        "string FriendlyName": lambda _: "",
        "DateTime NotBefore": lambda held: DateTime.at(held.read.not_valid_before_utc.timestamp()),
        "DateTime NotAfter": lambda held: DateTime.at(held.read.not_valid_after_utc.timestamp()),
        "int Version": lambda held: held.read.version.value + 1,
        "bool HasPrivateKey": lambda held: held.key is not None,
        "byte[] RawData": _raw,
        "byte[] GetRawCertData()": _raw,
        "string GetCertHashString()": _thumbprint,
        "string GetSerialNumberString()": _serial,
        "string GetNameInfo(X509NameType, bool)": _simple,
        "RSA GetRSAPublicKey()": _public,
        "RSA GetRSAPrivateKey()": _private,
        "bool Verify()": lambda _: False,
        "bool VerifyNoRevocation()": lambda _: False,
        "void Dispose()": lambda _: None,
    },
)

# RSA

_HASHES: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    "MD5": hashes.MD5,
    "SHA1": hashes.SHA1,
    "SHA256": hashes.SHA256,
    "SHA384": hashes.SHA384,
    "SHA512": hashes.SHA512,
}
for _algorithm in _HASHES:
    declare("HashAlgorithmName", {f"static HashAlgorithmName {_algorithm}": lambda name=_algorithm: name})
declare("HashAlgorithmName", {"string Name": lambda held: held})
for _scheme in ("Pkcs1", "Pss"):
    declare("RSASignaturePadding", {f"static RSASignaturePadding {_scheme}": lambda name=_scheme: name})
for _scheme in ("Pkcs1", "OaepSHA1", "OaepSHA256", "OaepSHA384", "OaepSHA512"):
    declare("RSAEncryptionPadding", {f"static RSAEncryptionPadding {_scheme}": lambda name=_scheme: name})


def _signing(name: str, scheme: str) -> Any:
    if scheme == "Pkcs1":
        return padding.PKCS1v15()
    made = _HASHES[name]()
    return padding.PSS(padding.MGF1(made), made.digest_size)


def _encrypting(scheme: str) -> Any:
    if scheme == "Pkcs1":
        return padding.PKCS1v15()
    made = _HASHES[scheme.removeprefix("Oaep")]()
    return padding.OAEP(padding.MGF1(made), made, None)


def _own(held: Rsa) -> rsa.RSAPrivateKey:
    if held.private is None:
        raise ValueError("Key does not exist.")
    return held.private


def _hash(name: str, hashed: bool) -> Any:
    return Prehashed(_HASHES[name]()) if hashed else _HASHES[name]()


def _sign(held: Rsa, content: bytes, name: str, scheme: str, hashed: bool) -> bytes:
    return _own(held).sign(bytes(not_null(content)), _signing(name, scheme), _hash(name, hashed))


def _verify(held: Rsa, content: bytes, signature: bytes, name: str, scheme: str, hashed: bool) -> bool:
    try:
        held.public.verify(
            bytes(not_null(signature)), bytes(not_null(content)), _signing(name, scheme), _hash(name, hashed)
        )
    except InvalidSignature:
        return False
    return True


for _what, _hashed in (("Data", False), ("Hash", True)):
    declare(
        "RSA",
        {
            f"byte[] Sign{_what}(byte[], HashAlgorithmName, RSASignaturePadding)": _guarded(
                lambda held, content, name, scheme, hashed=_hashed: _sign(held, content, name, scheme, hashed)
            ),
            f"bool Verify{_what}(byte[], byte[], HashAlgorithmName, RSASignaturePadding)": _guarded(
                lambda held, content, signature, name, scheme, hashed=_hashed: _verify(
                    held, content, signature, name, scheme, hashed
                )
            ),
        },
    )
declare(
    "RSA",
    {
        "byte[] Encrypt(byte[], RSAEncryptionPadding)": _guarded(
            lambda held, content, scheme: held.public.encrypt(bytes(not_null(content)), _encrypting(scheme))
        ),
        "byte[] Decrypt(byte[], RSAEncryptionPadding)": _guarded(
            lambda held, content, scheme: _own(held).decrypt(bytes(not_null(content)), _encrypting(scheme))
        ),
        "int KeySize": lambda held: held.public.key_size,
        "void Dispose()": lambda _: None,
    },
)
