"""X509Certificate2 and RSA in expressions, held against the package that made the certificate."""

from __future__ import annotations

import base64
import datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from localazure.apim.errors import ExpressionError
from localazure.apim.expressions.failures import Thrown
from tests.conformance.apim.test_apim_language import value

KEY = rsa.generate_private_key(65537, 2048)
SUBJECT = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "GB"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Shop"),
        x509.NameAttribute(NameOID.COMMON_NAME, "partner"),
    ]
)
CERTIFICATE = (
    x509.CertificateBuilder()
    .subject_name(SUBJECT)
    .issuer_name(SUBJECT)
    .public_key(KEY.public_key())
    .serial_number(0xAB01)
    .not_valid_before(datetime.datetime(2024, 1, 2))
    .not_valid_after(datetime.datetime(2034, 1, 2))
    .sign(KEY, hashes.SHA256())
)
DER = CERTIFICATE.public_bytes(serialization.Encoding.DER)
PFX = pkcs12.serialize_key_and_certificates(
    b"partner", KEY, CERTIFICATE, None, serialization.BestAvailableEncryption(b"secret")
)


def of(expression: str, content: bytes = DER, password: str = "") -> Any:
    """The value of an expression over `c`, a certificate of these bytes."""
    made = base64.b64encode(content).decode()
    more = f', "{password}"' if password else ""
    return value(f'@{{ var c = new X509Certificate2(Convert.FromBase64String("{made}"){more}); return {expression}; }}')


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("c.Subject", "CN=partner, O=Shop, C=GB"),
        ("c.IssuerName.Name", "CN=partner, O=Shop, C=GB"),
        pytest.param("c.Thumbprint", CERTIFICATE.fingerprint(hashes.SHA1()).hex().upper(), id="c.Thumbprint"),
        ("c.SerialNumber", "00AB01"),
        ("c.GetNameInfo(X509NameType.SimpleName, false)", "partner"),
        ('c.NotBefore.ToString("yyyy-MM-dd")', "2024-01-02"),
        ("c.NotAfter > DateTime.UtcNow", True),
        ("c.HasPrivateKey", False),
        ("c.GetRSAPrivateKey() == null", True),
        ("c.GetRSAPublicKey().KeySize", 2048),
        ("c.RawData.Length", len(DER)),
        ("c.Verify()", False),
    ],
)
def test_a_certificate_is_read(expression: str, expected: Any) -> None:
    assert of(expression) == expected
    pem = CERTIFICATE.public_bytes(serialization.Encoding.PEM)
    assert of(expression, pem) == expected


def test_the_key_of_a_pkcs12_file_signs_and_decrypts() -> None:
    text = 'Encoding.UTF8.GetBytes("text")'
    for scheme, made in (("Pkcs1", padding.PKCS1v15()), ("Pss", padding.PSS(padding.MGF1(hashes.SHA256()), 32))):
        how = f"HashAlgorithmName.SHA256, RSASignaturePadding.{scheme}"
        signature = of(f"c.GetRSAPrivateKey().SignData({text}, {how})", PFX, "secret")
        KEY.public_key().verify(signature, b"text", made, hashes.SHA256())
        given = f'Convert.FromBase64String("{base64.b64encode(signature).decode()}")'
        assert of(f"c.GetRSAPublicKey().VerifyData({text}, {given}, {how})") is True
        assert of(f'c.GetRSAPublicKey().VerifyData(Encoding.UTF8.GetBytes("else"), {given}, {how})') is False
    for scheme in ("Pkcs1", "OaepSHA1", "OaepSHA256"):
        how = f"RSAEncryptionPadding.{scheme}"
        sealed = f"c.GetRSAPublicKey().Encrypt({text}, {how})"
        assert bytes(of(f"c.GetRSAPrivateKey().Decrypt({sealed}, {how})", PFX, "secret")) == b"text"


@pytest.mark.parametrize(
    ("expression", "content", "password"),
    [
        ("c.Subject", b"not a certificate", ""),
        ("c.Subject", PFX, "wrong"),
        ("c.GetRSAPublicKey().Decrypt(new byte[] { 1, 2 }, RSAEncryptionPadding.Pkcs1)", DER, ""),
        ("c.GetRSAPublicKey().SignData(new byte[0], HashAlgorithmName.SHA1, RSASignaturePadding.Pss)", PFX, "secret"),
    ],
)
def test_what_cannot_be_done_is_an_exception_of_dotnet(expression: str, content: bytes, password: str) -> None:
    with pytest.raises(Thrown) as caught:
        of(expression, content, password)
    assert caught.value.kind == "CryptographicException"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("@(context.Request.Certificate == null || context.Request.Certificate.Thumbprint != null)", True),
        ("@(context.Request.Certificate == null || !context.Request.Certificate.VerifyNoRevocation())", True),
        ('@(context.Request.Certificate?.SubjectName.Name ?? "nobody")', "nobody"),
        ('@(context.Deployment.Certificates.Any(c => c.Value.Thumbprint == "X"))', False),
    ],
)
def test_no_caller_has_a_certificate(expression: str, expected: Any) -> None:
    assert value(expression) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('@(context.Variables.ContainsKey("x") != null)', True),
        ("@(1 == null)", False),
        ("@(DateTime.UtcNow != null)", True),
        ("@(new byte[] { 0, 255 }.Length)", 2),
    ],
)
def test_a_value_beside_null_and_a_number_that_fits_compile(expression: str, expected: Any) -> None:
    assert value(expression) == expected


def test_a_number_that_does_not_fit_needs_a_cast() -> None:
    with pytest.raises(ExpressionError, match="byte is needed"):
        value("@(new byte[] { 256 }.Length)")
