"""Bytes: encodings, hashes, HMACs, symmetric ciphers, BitConverter."""

from __future__ import annotations

import hashlib
import hmac
import os
import struct
from dataclasses import dataclass
from functools import partial
from typing import Any

from localazure.apim.expressions.failures import bounded, throw
from localazure.apim.expressions.table import SETTERS, declare, enumeration
from localazure.apim.expressions.types import derive


@dataclass(frozen=True)
class Encoding:
    name: str
    errors: str = "replace"


for _name, _codec in (
    ("UTF8", "utf-8"),
    ("ASCII", "ascii"),
    ("Unicode", "utf-16-le"),
    ("BigEndianUnicode", "utf-16-be"),
    ("UTF32", "utf-32-le"),
    ("Default", "utf-8"),
    ("Latin1", "latin-1"),
):
    declare("Encoding", {f"static Encoding {_name}": lambda codec=_codec: Encoding(codec)})
_CODECS = {"utf-8": "utf-8", "us-ascii": "ascii", "ascii": "ascii", "iso-8859-1": "latin-1", "utf-16": "utf-16-le"}


def _encoding(name: str) -> Encoding:
    if name.lower() not in _CODECS:
        throw("ArgumentException", f"'{name}' is not a supported encoding name.")
    return Encoding(_CODECS[name.lower()])


def _encoded(held: Encoding, value: str | None) -> bytes:
    if value is None:
        throw("ArgumentNullException", "String reference not set to an instance of a String.")
    return value.encode(held.name, "replace")


declare(
    "Encoding",
    {
        "static Encoding GetEncoding(string)": _encoding,
        "byte[] GetBytes(string)": _encoded,
        "byte[] GetBytes(char[])": lambda held, value: _encoded(held, "".join(value)),
        "string GetString(byte[])": lambda held, value: bytes(value).decode(held.name, "replace"),
        "string GetString(byte[], int, int)": lambda held, value, at, count: bytes(value[at : at + count]).decode(
            held.name, "replace"
        ),
        "int GetByteCount(string)": lambda held, value: len(_encoded(held, value)),
    },
)

# hashes


@dataclass
class Hash:
    """A hash, keyed where it has a key."""

    name: str
    key: bytes | None = None
    last: bytes = b""

    def compute(self, value: bytes) -> bytes:
        if self.key is None:
            self.last = hashlib.new(self.name, value).digest()
        else:
            self.last = hmac.new(self.key, value, self.name).digest()
        return self.last


derive("KeyedHashAlgorithm", "HashAlgorithm")
derive("HMAC", "KeyedHashAlgorithm")
declare(
    "HashAlgorithm",
    {
        "byte[] ComputeHash(byte[])": lambda held, value: held.compute(bytes(value)),
        "byte[] ComputeHash(byte[], int, int)": lambda held, value, at, count: held.compute(
            bytes(value[at : at + count])
        ),
        "byte[] Hash": lambda held: held.last,
        "void Dispose()": lambda _: None,
        "void Clear()": lambda _: None,
    },
)
declare("KeyedHashAlgorithm", {"byte[] Key": lambda held: held.key})
SETTERS["KeyedHashAlgorithm", "Key"] = ("byte[]", lambda held, value: setattr(held, "key", bytes(value)))
for _name in ("MD5", "SHA1", "SHA256", "SHA384", "SHA512"):
    _lower = _name.lower()
    derive(_name, "HashAlgorithm")
    declare(_name, {f"static {_name} Create()": lambda name=_lower: Hash(name)})
    declare(_name, {"static byte[] HashData(byte[])": lambda value, name=_lower: hashlib.new(name, value).digest()})
    derive(f"{_name}Managed", _name)
    declare(f"{_name}Managed", {f"static {_name}Managed new()": lambda name=_lower: Hash(name)})
    derive(f"HMAC{_name}", "HMAC")
    declare(
        f"HMAC{_name}",
        {
            f"static HMAC{_name} new(byte[])": lambda key, name=_lower: Hash(name, bytes(key)),
            f"static HMAC{_name} new()": lambda name=_lower: Hash(name, os.urandom(64)),
        },
    )

# ciphers: `Encrypt` and `Decrypt` are API Management's own extensions of byte[]


@dataclass
class Cipher:
    """A symmetric algorithm with its settings."""

    name: str
    key: bytes = b""
    iv: bytes = b""
    mode: str = "CBC"
    padding: str = "PKCS7"
    key_size: int = 256
    block_size: int = 128


enumeration("CipherMode", CBC="CBC", ECB="ECB", CFB="CFB", CTS="CTS", OFB="OFB")
enumeration("PaddingMode", PKCS7="PKCS7", Zeros="Zeros")
declare("PaddingMode", {"static PaddingMode None": lambda: "None"})
_CIPHERS = {"aes": "AES", "rijndael": "AES", "aesmanaged": "AES", "tripledes": "3DES", "3des": "3DES"}


def _algorithm(name: str) -> Cipher:
    if name.lower() not in _CIPHERS:
        throw("CryptographicException", f"the algorithm {name!r} is not supported; Aes and TripleDES are")
    return Cipher(_CIPHERS[name.lower()])


def _crypt(value: bytes, held: Cipher, key: bytes | None, iv: bytes | None, encrypt: bool) -> bytes:
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
    from cryptography.hazmat.primitives import padding
    from cryptography.hazmat.primitives.ciphers import Cipher as Engine
    from cryptography.hazmat.primitives.ciphers import algorithms, modes

    secret, start = bytes(key or held.key), bytes(iv or held.iv)
    block = 128 if held.name == "AES" else 64
    try:
        algorithm: Any = algorithms.AES(secret) if held.name == "AES" else TripleDES(secret)
        mode: Any = modes.ECB() if held.mode == "ECB" else modes.CBC(start)  # noqa: S305 - the policy's choice
        engine = Engine(algorithm, mode)
        if encrypt:
            padder = padding.PKCS7(block).padder()
            padded = padder.update(bytes(value)) + padder.finalize()
            worker = engine.encryptor()
            return worker.update(padded) + worker.finalize()
        opener = engine.decryptor()
        plain = opener.update(bytes(value)) + opener.finalize()
        if held.padding != "PKCS7":
            return plain.rstrip(b"\0") if held.padding == "Zeros" else plain
        remover = padding.PKCS7(block).unpadder()
        return remover.update(plain) + remover.finalize()
    except ValueError as exc:
        throw("CryptographicException", str(exc))


def _set(name: str, held: Cipher, value: Any) -> None:
    setattr(held, name, value)


declare("SymmetricAlgorithm", {"static SymmetricAlgorithm Create(string)": _algorithm})
declare("Aes", {"static SymmetricAlgorithm Create()": lambda: Cipher("AES")})
for _field, _attribute, _type in (
    ("Key", "key", "byte[]"),
    ("IV", "iv", "byte[]"),
    ("Mode", "mode", "CipherMode"),
    ("Padding", "padding", "PaddingMode"),
    ("KeySize", "key_size", "int"),
    ("BlockSize", "block_size", "int"),
):
    declare("SymmetricAlgorithm", {f"{_type} {_field}": lambda held, name=_attribute: getattr(held, name)})
    SETTERS["SymmetricAlgorithm", _field] = (_type, partial(_set, _attribute))
declare("SymmetricAlgorithm", {"void Dispose()": lambda _: None, "void Clear()": lambda _: None})
for _name, _way in (("Encrypt", True), ("Decrypt", False)):
    declare(
        "T[]",
        {
            f"byte[] {_name}(string, byte[], byte[])": lambda value, name, key, iv, way=_way: _crypt(
                value, _algorithm(name), key, iv, way
            ),
            f"byte[] {_name}(SymmetricAlgorithm)": lambda value, held, way=_way: _crypt(value, held, None, None, way),
            f"byte[] {_name}(SymmetricAlgorithm, byte[], byte[])": lambda value, held, key, iv, way=_way: _crypt(
                value, held, key, iv, way
            ),
        },
    )

# arrays of bytes


def _unpacked(form: str, size: int) -> Any:
    def read(value: bytes, at: int) -> Any:
        if at < 0 or at + size > len(value):
            throw("ArgumentException", "Destination array is not long enough.")
        return struct.unpack_from(form, value, at)[0]

    return read


declare(
    "BitConverter",
    {
        "static string ToString(byte[])": lambda value: bytes(value).hex("-").upper(),
        "static string ToString(byte[], int, int)": lambda value, at, count: (
            bytes(value[at : at + count]).hex("-").upper()
        ),
        "static short ToInt16(byte[], int)": _unpacked("<h", 2),
        "static int ToUInt16(byte[], int)": _unpacked("<H", 2),
        "static int ToInt32(byte[], int)": _unpacked("<i", 4),
        "static long ToUInt32(byte[], int)": _unpacked("<I", 4),
        "static long ToInt64(byte[], int)": _unpacked("<q", 8),
        "static double ToDouble(byte[], int)": _unpacked("<d", 8),
        "static byte[] GetBytes(short)": lambda value: struct.pack("<h", value),
        "static byte[] GetBytes(int)": lambda value: struct.pack("<i", value),
        "static byte[] GetBytes(long)": lambda value: struct.pack("<q", value),
        "static byte[] GetBytes(double)": lambda value: struct.pack("<d", value),
        "static byte[] GetBytes(bool)": lambda value: bytes([value]),
        "static bool IsLittleEndian": lambda: True,
    },
)
declare(
    "RNGCryptoServiceProvider",
    {
        "static RNGCryptoServiceProvider new()": object,
        "void GetBytes(byte[])": lambda _, content: content.__setitem__(slice(None), os.urandom(bounded(len(content)))),
    },
)


def _address(value: str | None) -> tuple[bool, Any]:
    import ipaddress

    try:
        return True, ipaddress.ip_address(value or "")
    except ValueError:
        return False, None


derive("IPAddress")
declare("IPAddress", {"static IPAddress Parse(string)": lambda value: __import__("ipaddress").ip_address(value)})
declare("IPAddress", {"byte[] GetAddressBytes()": lambda value: value.packed})
declare(
    "IPAddress",
    {"static bool TryParse(string, out IPAddress)": _address},
)
