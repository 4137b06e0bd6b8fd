"""The rules that `grammar` checks policies by, in its notation."""

TABLE = """
authentication-basic username! password!
authentication-certificate thumbprint certificate-id body password
authentication-token token-type token-service-url resource-url ignore-error=bool
authentication-token-store token-id client-id output-token-variable-name ignore-error=bool
authentication-managed-identity resource client-id output-token-variable-name ignore-error=bool
cache-lookup vary-by-developer!=bool@ vary-by-developer-groups!=bool@ downstream-caching-type=none|private|public@
    must-revalidate=bool@ caching-type=prefer-external|internal|external allow-private-response-caching=bool@
    | vary-by-header vary-by-query-parameter
cache-lookup-value key! default-value variable-name! caching-type=prefer-external|internal|external
cache-remove-value key! caching-type=prefer-external|internal|external
cache-store duration!=int@ cache-response=bool@ caching-mode
cache-store-value duration!=int@ key! value! caching-type=prefer-external|internal|external
check-header name! failed-check-httpcode!=int@ failed-check-error-message ignore-case=bool@ > value*
choose > when+ otherwise?
choose/when condition!=bool@ ...
choose/otherwise ...
cors allow-credentials=bool@ terminate-unmatched-request=bool@
    & allowed-origins allowed-methods? allowed-headers? expose-headers?
cors/allowed-origins > origin+
cors/allowed-methods preflight-result-max-age=int@ > method+
cors/allowed-headers > header+
cors/expose-headers > header+
cross-domain > cross-domain-policy?
cross-domain/cross-domain-policy > site-control? allow-access-from* allow-http-request-headers-from*
cross-domain/cross-domain-policy/site-control
    permitted-cross-domain-policies!=all|by-content-type|master-only|none
cross-domain/cross-domain-policy/allow-access-from domain! secure=true|false
cross-domain/cross-domain-policy/allow-http-request-headers-from domain! headers! secure=true|false
emit-metric default-dimensions=bool name! namespace value=number@ > dimension*
emit-metric/dimension name! value
find-and-replace from! to!
forward-request timeout=int@ timeout-ms=int@ continue-timeout=int@ follow-redirects=bool@ buffer-request-body=bool
    buffer-response=bool fail-on-error-status-code=bool http-version
include-fragment fragment-id!
ip-filter action=allow|forbid@ | address address-range
ip-filter/address-range from! to!
json-to-xml apply!=always|content-type-json@ consider-accept-header=bool@ parse-date=bool attribute-block-name
    attribute-prefix namespace-block-name namespace-separator namespace-prefix invalid-character-replacement
    null-values trim-values empty-values=preserve|as-null@
jsonp callback-parameter-name!
limit-concurrency key! max-count!=int ...
log-to-eventhub logger-id! partition-key partition-id text
mock-response enabled=bool status-code=int content-type index=int
proxy url! username password
quota calls=int bandwidth=int renewal-period=int > api*
quota/api calls=int bandwidth=int renewal-period=int id name > operation*
quota/api/operation calls=int bandwidth=int renewal-period=int id name
quota-by-key calls=int bandwidth=int renewal-period first-period-start counter-key! increment-condition increment-count
rate-limit calls=int renewal-period=int retry-after-header-name retry-after-variable-name
    remaining-calls-header-name remaining-calls-variable-name total-calls-header-name > api* operation*
rate-limit/api calls=int renewal-period=int retry-after-header-name retry-after-variable-name
    remaining-calls-header-name remaining-calls-variable-name total-calls-header-name id name > operation*
rate-limit/api/operation calls=int renewal-period=int retry-after-header-name retry-after-variable-name
    remaining-calls-header-name remaining-calls-variable-name total-calls-header-name id name
rate-limit/operation calls=int renewal-period=int retry-after-header-name retry-after-variable-name
    remaining-calls-header-name remaining-calls-variable-name total-calls-header-name id name
rate-limit-by-key calls!=int@ renewal-period!=int@ counter-key! increment-condition increment-count
    increment-after-response=bool flexible-retry-window=bool retry-after-header-name retry-after-variable-name
    remaining-calls-header-name remaining-calls-variable-name total-calls-header-name
redirect-content-urls
retry condition!=bool@ count!=int@ interval!=int@ delta=int@ max-interval=int@ first-fast-retry=bool@ ...
return-response response-variable-name > set-status? set-header* set-body?
rewrite-uri template! copy-unmatched-params=bool
send-one-way-request mode=new|copy@ timeout=int
    > set-url? set-method? set-header* set-body? authentication-certificate? authentication-token?
    authentication-token-store? authentication-managed-identity? proxy?
send-request mode=new|copy@ response-variable-name timeout=int@ timeout-ms=int@ ignore-error=bool buffer-response=bool
    fail-on-error-status-code=bool
    > set-url? set-method? set-header* set-body? authentication-certificate? authentication-token?
    authentication-token-store? authentication-managed-identity? proxy?
set-backend-service backend-id base-url sf-partition-key dapr-app-id dapr-method dapr-namespace sf-replica-type
    sf-resolve-condition sf-service-instance-name sf-listener-name
set-body template=none|liquid xsi-nil=blank|null parse-date=bool html-decode-expression=bool ...
set-header name! exists-action=override|append|skip|delete@ > value*
set-method text
set-query-parameter name! exists-action=override|append|skip|delete@ > value*
set-status code=int@ reason
set-url text
set-variable name! value!
trace source! severity=verbose|information|error text | metadata message
trace/metadata name! value!
validate-azure-ad-token failed-validation-httpcode=int@ failed-validation-error-message tenant-id! header-name
    authentication-endpoint require-scheme query-parameter-name token-value allow-protected-forwarded-tokens=bool@
    allow-proof-of-possession-tokens=bool@ output-token-variable-name
    & backend-application-ids? client-application-ids? audiences? required-claims? decryption-keys?
validate-azure-ad-token/backend-application-ids > application-id+
validate-azure-ad-token/client-application-ids > application-id+
validate-azure-ad-token/audiences > audience+
validate-azure-ad-token/required-claims > claim+
validate-azure-ad-token/required-claims/claim name match=all|any@ separator > value*
validate-azure-ad-token/decryption-keys > key+
validate-azure-ad-token/decryption-keys/key certificate-id!
validate-content unspecified-content-type-action!=ignore|prevent|detect@ max-size!=int@
    size-exceeded-action!=ignore|prevent|detect@ errors-variable-name > content-type-map? content*
validate-content/content-type-map any-content-type-value missing-content-type-value > type*
validate-content/content-type-map/type from when=bool@ to!
validate-content/content validate-as!=json|xml|soap type action!=ignore|prevent|detect@ schema-id schema-ref
    allow-additional-properties=bool case-insensitive-property-names=bool
validate-headers specified-header-action!=ignore|prevent|detect@ unspecified-header-action!=ignore|prevent|detect@
    errors-variable-name > header*
validate-headers/header name! action!=ignore|prevent|detect@
validate-jwt failed-validation-httpcode=int@ failed-validation-error-message header-name require-scheme
    query-parameter-name token-value clock-skew=int@ require-expiration-time=bool@ require-signed-tokens=bool@
    output-token-variable-name
    > openid-config* issuer-signing-tokens? issuer-signing-keys? decryption-keys? audiences? issuers?
    required-claims?
validate-jwt/openid-config url! host
validate-jwt/issuer-signing-tokens > token*
validate-jwt/issuer-signing-keys | key zumo-master-key
validate-jwt/issuer-signing-keys/key certificate-id n e text
validate-jwt/issuer-signing-keys/zumo-master-key text
validate-jwt/decryption-keys > key+
validate-jwt/decryption-keys/key certificate-id text
validate-jwt/audiences > audience*
validate-jwt/issuers > issuer*
validate-jwt/required-claims > claim*
validate-jwt/required-claims/claim name match=all|any@ separator > value*
validate-parameters specified-parameter-action!=ignore|prevent|detect@
    unspecified-parameter-action!=ignore|prevent|detect@ errors-variable-name > headers? query? path?
validate-parameters/headers specified-parameter-action!=ignore|prevent|detect@
    unspecified-parameter-action!=ignore|prevent|detect@ > parameter*
validate-parameters/headers/parameter name! action!=ignore|prevent|detect@
validate-parameters/query specified-parameter-action!=ignore|prevent|detect@
    unspecified-parameter-action!=ignore|prevent|detect@ > parameter*
validate-parameters/query/parameter name! action!=ignore|prevent|detect@
validate-parameters/path specified-parameter-action!=ignore|prevent|detect@ > parameter*
validate-parameters/path/parameter name! action!=ignore|prevent|detect@
validate-status-code unspecified-status-code-action!=ignore|prevent|detect@ errors-variable-name > status-code*
validate-status-code/status-code code!=int action!=ignore|prevent|detect@
wait for!=all|any@ | choose forward-request send-request cache-lookup-value cache-store-value
    authentication-managed-identity authentication-token
xml-to-json kind!=javascript-friendly|direct@ apply!=always|content-type-xml@ consider-accept-header=bool@
    preserve-whitespace-nodes=bool@ empty-values=preserve|as-null@ trim-values=bool@ always-array-child-elements=bool@
"""
