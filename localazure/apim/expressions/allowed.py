"""The types that Azure lets policy expressions use. What is here and not declared is refused as not supported here;
what is not here, Azure refuses too. Source: "API Management policy expressions", .NET Framework types allowed."""

ALLOWED = frozenset(
    """
    Formatting JsonConvert Extensions JArray JConstructor JContainer JObject JProperty JRaw JToken JTokenType JValue
    Array BitConverter Boolean Byte Char Dictionary HashSet ICollection IDictionary IEnumerable IEnumerator IList
    IReadOnlyCollection IReadOnlyDictionary ISet KeyValuePair List Queue Stack Convert DateTime DateTimeKind
    DateTimeOffset Decimal Double Enum Exception Guid Int16 Int32 Int64 StringReader StringWriter Enumerable Math
    MidpointRounding IPAddress WebUtility Nullable Random SByte AsymmetricAlgorithm CipherMode HashAlgorithm
    HashAlgorithmName HMAC HMACMD5 HMACSHA1 HMACSHA256 HMACSHA384 HMACSHA512 KeyedHashAlgorithm MD5 Oid PaddingMode
    RNGCryptoServiceProvider RSA RSAEncryptionPadding RSASignaturePadding SHA1 SHA1Managed SHA256 SHA256Managed SHA384
    SHA384Managed SHA512 SHA512Managed SymmetricAlgorithm PublicKey RSACertificateExtensions X500DistinguishedName
    X509Certificate X509Certificate2 X509ContentType X509NameType Single String StringComparer StringComparison
    StringSplitOptions Encoding Capture CaptureCollection Group GroupCollection Match Regex RegexOptions StringBuilder
    TimeSpan TimeZone AdjustmentRule TransitionTime TimeZoneInfo Tuple UInt16 UInt32 UInt64 Uri UriPartial XAttribute
    XCData XComment XContainer XDeclaration XDocument XDocumentType XElement XName XNamespace XNode
    XNodeDocumentOrderComparer XNodeEqualityComparer XObject XProcessingInstruction XText XmlNodeType
    """.split()
)
