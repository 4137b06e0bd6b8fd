// Written by `python -m scripts.infrastructure`: every file below apim/ that Azure is told, once.
import { Api, Backend, Fragment, NamedValue, Product, Schema } from 'types.bicep'

@export()
var policy string = loadTextContent('../../apim/policy.xml')

@export()
var namedValues NamedValue[] = [
  {
    name: 'accounts-url'
    properties: loadJsonContent('../../apim/named values/accounts-url/namedValueInformation.json').properties
  }
  {
    name: 'anonymous-calls-per-minute'
    properties: loadJsonContent('../../apim/named values/anonymous-calls-per-minute/namedValueInformation.json').properties
  }
  {
    name: 'api-audience'
    properties: loadJsonContent('../../apim/named values/api-audience/namedValueInformation.json').properties
  }
  {
    name: 'backend-timeout-seconds'
    properties: loadJsonContent('../../apim/named values/backend-timeout-seconds/namedValueInformation.json').properties
  }
  {
    name: 'carts-url'
    properties: loadJsonContent('../../apim/named values/carts-url/namedValueInformation.json').properties
  }
  {
    name: 'catalog-cache-seconds'
    properties: loadJsonContent('../../apim/named values/catalog-cache-seconds/namedValueInformation.json').properties
  }
  {
    name: 'catalog-url'
    properties: loadJsonContent('../../apim/named values/catalog-url/namedValueInformation.json').properties
  }
  {
    name: 'import-timeout-seconds'
    properties: loadJsonContent('../../apim/named values/import-timeout-seconds/namedValueInformation.json').properties
  }
  {
    name: 'internal-calls-per-minute'
    properties: loadJsonContent('../../apim/named values/internal-calls-per-minute/namedValueInformation.json').properties
  }
  {
    name: 'internal-calls-per-week'
    properties: loadJsonContent('../../apim/named values/internal-calls-per-week/namedValueInformation.json').properties
  }
  {
    name: 'inventory-url'
    properties: loadJsonContent('../../apim/named values/inventory-url/namedValueInformation.json').properties
  }
  {
    name: 'notifications-url'
    properties: loadJsonContent('../../apim/named values/notifications-url/namedValueInformation.json').properties
  }
  {
    name: 'openid-config-url'
    properties: loadJsonContent('../../apim/named values/openid-config-url/namedValueInformation.json').properties
  }
  {
    name: 'operations-url'
    properties: loadJsonContent('../../apim/named values/operations-url/namedValueInformation.json').properties
  }
  {
    name: 'orders-url'
    properties: loadJsonContent('../../apim/named values/orders-url/namedValueInformation.json').properties
  }
  {
    name: 'partner-calls-per-minute'
    properties: loadJsonContent('../../apim/named values/partner-calls-per-minute/namedValueInformation.json').properties
  }
  {
    name: 'partner-calls-per-week'
    properties: loadJsonContent('../../apim/named values/partner-calls-per-week/namedValueInformation.json').properties
  }
  {
    name: 'payments-url'
    properties: loadJsonContent('../../apim/named values/payments-url/namedValueInformation.json').properties
  }
  {
    name: 'public-calls-per-day'
    properties: loadJsonContent('../../apim/named values/public-calls-per-day/namedValueInformation.json').properties
  }
  {
    name: 'require-https'
    properties: loadJsonContent('../../apim/named values/require-https/namedValueInformation.json').properties
  }
  {
    name: 'shipping-url'
    properties: loadJsonContent('../../apim/named values/shipping-url/namedValueInformation.json').properties
  }
  {
    name: 'user-calls-per-minute'
    properties: loadJsonContent('../../apim/named values/user-calls-per-minute/namedValueInformation.json').properties
  }
  {
    name: 'user-imports-per-minute'
    properties: loadJsonContent('../../apim/named values/user-imports-per-minute/namedValueInformation.json').properties
  }
  {
    name: 'user-order-lines-per-minute'
    properties: loadJsonContent('../../apim/named values/user-order-lines-per-minute/namedValueInformation.json').properties
  }
  {
    name: 'web-origin'
    properties: loadJsonContent('../../apim/named values/web-origin/namedValueInformation.json').properties
  }
  {
    name: 'webhook-calls-per-minute'
    properties: loadJsonContent('../../apim/named values/webhook-calls-per-minute/namedValueInformation.json').properties
  }
]

@export()
var backends Backend[] = [
  {
    name: 'accounts'
    properties: loadJsonContent('../../apim/backends/accounts/backendInformation.json').properties
  }
  {
    name: 'carts'
    properties: loadJsonContent('../../apim/backends/carts/backendInformation.json').properties
  }
  {
    name: 'catalog'
    properties: loadJsonContent('../../apim/backends/catalog/backendInformation.json').properties
  }
  {
    name: 'inventory'
    properties: loadJsonContent('../../apim/backends/inventory/backendInformation.json').properties
  }
  {
    name: 'notifications'
    properties: loadJsonContent('../../apim/backends/notifications/backendInformation.json').properties
  }
  {
    name: 'operations'
    properties: loadJsonContent('../../apim/backends/operations/backendInformation.json').properties
  }
  {
    name: 'orders'
    properties: loadJsonContent('../../apim/backends/orders/backendInformation.json').properties
  }
  {
    name: 'payments'
    properties: loadJsonContent('../../apim/backends/payments/backendInformation.json').properties
  }
  {
    name: 'shipping'
    properties: loadJsonContent('../../apim/backends/shipping/backendInformation.json').properties
  }
]

@export()
var schemas Schema[] = [
  {
    name: 'json-object'
    properties: {
      schemaType: 'json'
      document: loadJsonContent('../../apim/schemas/json-object.json')
    }
  }
]

@export()
var fragments Fragment[] = [
  {
    name: 'allowed-methods'
    properties: {
      ...loadJsonContent('../../apim/policy fragments/allowed-methods/policyFragmentInformation.json').properties
      value: loadTextContent('../../apim/policy fragments/allowed-methods/policy.xml')
    }
  }
  {
    name: 'answer'
    properties: {
      ...loadJsonContent('../../apim/policy fragments/answer/policyFragmentInformation.json').properties
      value: loadTextContent('../../apim/policy fragments/answer/policy.xml')
    }
  }
  {
    name: 'authenticate'
    properties: {
      ...loadJsonContent('../../apim/policy fragments/authenticate/policyFragmentInformation.json').properties
      value: loadTextContent('../../apim/policy fragments/authenticate/policy.xml')
    }
  }
  {
    name: 'authorize'
    properties: {
      ...loadJsonContent('../../apim/policy fragments/authorize/policyFragmentInformation.json').properties
      value: loadTextContent('../../apim/policy fragments/authorize/policy.xml')
    }
  }
  {
    name: 'caller'
    properties: {
      ...loadJsonContent('../../apim/policy fragments/caller/policyFragmentInformation.json').properties
      value: loadTextContent('../../apim/policy fragments/caller/policy.xml')
    }
  }
  {
    name: 'conditional-request'
    properties: {
      ...loadJsonContent('../../apim/policy fragments/conditional-request/policyFragmentInformation.json').properties
      value: loadTextContent('../../apim/policy fragments/conditional-request/policy.xml')
    }
  }
  {
    name: 'correlation'
    properties: {
      ...loadJsonContent('../../apim/policy fragments/correlation/policyFragmentInformation.json').properties
      value: loadTextContent('../../apim/policy fragments/correlation/policy.xml')
    }
  }
  {
    name: 'explain'
    properties: {
      ...loadJsonContent('../../apim/policy fragments/explain/policyFragmentInformation.json').properties
      value: loadTextContent('../../apim/policy fragments/explain/policy.xml')
    }
  }
  {
    name: 'not-modified'
    properties: {
      ...loadJsonContent('../../apim/policy fragments/not-modified/policyFragmentInformation.json').properties
      value: loadTextContent('../../apim/policy fragments/not-modified/policy.xml')
    }
  }
  {
    name: 'platform-error'
    properties: {
      ...loadJsonContent('../../apim/policy fragments/platform-error/policyFragmentInformation.json').properties
      value: loadTextContent('../../apim/policy fragments/platform-error/policy.xml')
    }
  }
  {
    name: 'problem'
    properties: {
      ...loadJsonContent('../../apim/policy fragments/problem/policyFragmentInformation.json').properties
      value: loadTextContent('../../apim/policy fragments/problem/policy.xml')
    }
  }
  {
    name: 'transport'
    properties: {
      ...loadJsonContent('../../apim/policy fragments/transport/policyFragmentInformation.json').properties
      value: loadTextContent('../../apim/policy fragments/transport/policy.xml')
    }
  }
  {
    name: 'validate-body'
    properties: {
      ...loadJsonContent('../../apim/policy fragments/validate-body/policyFragmentInformation.json').properties
      value: loadTextContent('../../apim/policy fragments/validate-body/policy.xml')
    }
  }
]

@export()
var apis Api[] = [
  {
    name: 'commerce'
    properties: {
      ...loadJsonContent('../../apim/apis/commerce/apiInformation.json').properties
      format: 'openapi+json'
      value: string(loadJsonContent('../../apim/apis/commerce/specification.json'))
    }
    policy: loadTextContent('../../apim/apis/commerce/policy.xml')
    operations: [
      {
        name: 'accounts-find'
        policy: loadTextContent('../../apim/apis/commerce/operations/accounts-find/policy.xml')
      }
      {
        name: 'addresses-add'
        policy: loadTextContent('../../apim/apis/commerce/operations/addresses-add/policy.xml')
      }
      {
        name: 'addresses-change'
        policy: loadTextContent('../../apim/apis/commerce/operations/addresses-change/policy.xml')
      }
      {
        name: 'addresses-get'
        policy: loadTextContent('../../apim/apis/commerce/operations/addresses-get/policy.xml')
      }
      {
        name: 'addresses-list'
        policy: loadTextContent('../../apim/apis/commerce/operations/addresses-list/policy.xml')
      }
      {
        name: 'addresses-remove'
        policy: loadTextContent('../../apim/apis/commerce/operations/addresses-remove/policy.xml')
      }
      {
        name: 'approvals-decide'
        policy: loadTextContent('../../apim/apis/commerce/operations/approvals-decide/policy.xml')
      }
      {
        name: 'approvals-list'
        policy: loadTextContent('../../apim/apis/commerce/operations/approvals-list/policy.xml')
      }
      {
        name: 'carts-get'
        policy: loadTextContent('../../apim/apis/commerce/operations/carts-get/policy.xml')
      }
      {
        name: 'carts-merge'
        policy: loadTextContent('../../apim/apis/commerce/operations/carts-merge/policy.xml')
      }
      {
        name: 'carts-open'
        policy: loadTextContent('../../apim/apis/commerce/operations/carts-open/policy.xml')
      }
      {
        name: 'carts-remove-line'
        policy: loadTextContent('../../apim/apis/commerce/operations/carts-remove-line/policy.xml')
      }
      {
        name: 'carts-set-line'
        policy: loadTextContent('../../apim/apis/commerce/operations/carts-set-line/policy.xml')
      }
      {
        name: 'catalog-imports-cancel'
        policy: loadTextContent('../../apim/apis/commerce/operations/catalog-imports-cancel/policy.xml')
      }
      {
        name: 'catalog-imports-errors'
        policy: loadTextContent('../../apim/apis/commerce/operations/catalog-imports-errors/policy.xml')
      }
      {
        name: 'catalog-imports-get'
        policy: loadTextContent('../../apim/apis/commerce/operations/catalog-imports-get/policy.xml')
      }
      {
        name: 'catalog-imports-list'
        policy: loadTextContent('../../apim/apis/commerce/operations/catalog-imports-list/policy.xml')
      }
      {
        name: 'catalog-imports-start'
        policy: loadTextContent('../../apim/apis/commerce/operations/catalog-imports-start/policy.xml')
      }
      {
        name: 'erasure-get'
        policy: loadTextContent('../../apim/apis/commerce/operations/erasure-get/policy.xml')
      }
      {
        name: 'erasure-request'
        policy: loadTextContent('../../apim/apis/commerce/operations/erasure-request/policy.xml')
      }
      {
        name: 'erasure-withdraw'
        policy: loadTextContent('../../apim/apis/commerce/operations/erasure-withdraw/policy.xml')
      }
      {
        name: 'export-download'
        policy: loadTextContent('../../apim/apis/commerce/operations/export-download/policy.xml')
      }
      {
        name: 'export-get'
        policy: loadTextContent('../../apim/apis/commerce/operations/export-get/policy.xml')
      }
      {
        name: 'export-request'
        policy: loadTextContent('../../apim/apis/commerce/operations/export-request/policy.xml')
      }
      {
        name: 'export-withdraw'
        policy: loadTextContent('../../apim/apis/commerce/operations/export-withdraw/policy.xml')
      }
      {
        name: 'guest-carts-get'
        policy: loadTextContent('../../apim/apis/commerce/operations/guest-carts-get/policy.xml')
      }
      {
        name: 'guest-carts-open'
        policy: loadTextContent('../../apim/apis/commerce/operations/guest-carts-open/policy.xml')
      }
      {
        name: 'guest-carts-remove-line'
        policy: loadTextContent('../../apim/apis/commerce/operations/guest-carts-remove-line/policy.xml')
      }
      {
        name: 'guest-carts-set-line'
        policy: loadTextContent('../../apim/apis/commerce/operations/guest-carts-set-line/policy.xml')
      }
      {
        name: 'mails-list'
        policy: loadTextContent('../../apim/apis/commerce/operations/mails-list/policy.xml')
      }
      {
        name: 'me-change'
        policy: loadTextContent('../../apim/apis/commerce/operations/me-change/policy.xml')
      }
      {
        name: 'me-get'
        policy: loadTextContent('../../apim/apis/commerce/operations/me-get/policy.xml')
      }
      {
        name: 'operations-audit-entries'
        policy: loadTextContent('../../apim/apis/commerce/operations/operations-audit-entries/policy.xml')
      }
      {
        name: 'operations-audit-heads'
        policy: loadTextContent('../../apim/apis/commerce/operations/operations-audit-heads/policy.xml')
      }
      {
        name: 'operations-audit-verify'
        policy: loadTextContent('../../apim/apis/commerce/operations/operations-audit-verify/policy.xml')
      }
      {
        name: 'operations-dead-letters-get'
        policy: loadTextContent('../../apim/apis/commerce/operations/operations-dead-letters-get/policy.xml')
      }
      {
        name: 'operations-dead-letters-list'
        policy: loadTextContent('../../apim/apis/commerce/operations/operations-dead-letters-list/policy.xml')
      }
      {
        name: 'operations-dead-letters-set-aside'
        policy: loadTextContent('../../apim/apis/commerce/operations/operations-dead-letters-set-aside/policy.xml')
      }
      {
        name: 'operations-parked-get'
        policy: loadTextContent('../../apim/apis/commerce/operations/operations-parked-get/policy.xml')
      }
      {
        name: 'operations-parked-list'
        policy: loadTextContent('../../apim/apis/commerce/operations/operations-parked-list/policy.xml')
      }
      {
        name: 'operations-parked-retry'
        policy: loadTextContent('../../apim/apis/commerce/operations/operations-parked-retry/policy.xml')
      }
      {
        name: 'operations-parked-set-aside'
        policy: loadTextContent('../../apim/apis/commerce/operations/operations-parked-set-aside/policy.xml')
      }
      {
        name: 'operations-queues-list'
        policy: loadTextContent('../../apim/apis/commerce/operations/operations-queues-list/policy.xml')
      }
      {
        name: 'operations-redrives-messages'
        policy: loadTextContent('../../apim/apis/commerce/operations/operations-redrives-messages/policy.xml')
      }
      {
        name: 'operations-redrives-start'
        policy: loadTextContent('../../apim/apis/commerce/operations/operations-redrives-start/policy.xml')
      }
      {
        name: 'operations-sagas-end'
        policy: loadTextContent('../../apim/apis/commerce/operations/operations-sagas-end/policy.xml')
      }
      {
        name: 'operations-sagas-get'
        policy: loadTextContent('../../apim/apis/commerce/operations/operations-sagas-get/policy.xml')
      }
      {
        name: 'operations-sagas-list'
        policy: loadTextContent('../../apim/apis/commerce/operations/operations-sagas-list/policy.xml')
      }
      {
        name: 'operations-sagas-resume'
        policy: loadTextContent('../../apim/apis/commerce/operations/operations-sagas-resume/policy.xml')
      }
      {
        name: 'operations-set-aside-list'
        policy: loadTextContent('../../apim/apis/commerce/operations/operations-set-aside-list/policy.xml')
      }
      {
        name: 'operations-tasks-cancel'
        policy: loadTextContent('../../apim/apis/commerce/operations/operations-tasks-cancel/policy.xml')
      }
      {
        name: 'operations-tasks-get'
        policy: loadTextContent('../../apim/apis/commerce/operations/operations-tasks-get/policy.xml')
      }
      {
        name: 'operations-tasks-list'
        policy: loadTextContent('../../apim/apis/commerce/operations/operations-tasks-list/policy.xml')
      }
      {
        name: 'orders-cancel'
        policy: loadTextContent('../../apim/apis/commerce/operations/orders-cancel/policy.xml')
      }
      {
        name: 'orders-find'
        policy: loadTextContent('../../apim/apis/commerce/operations/orders-find/policy.xml')
      }
      {
        name: 'orders-get'
        policy: loadTextContent('../../apim/apis/commerce/operations/orders-get/policy.xml')
      }
      {
        name: 'orders-list'
        policy: loadTextContent('../../apim/apis/commerce/operations/orders-list/policy.xml')
      }
      {
        name: 'orders-place'
        policy: loadTextContent('../../apim/apis/commerce/operations/orders-place/policy.xml')
      }
      {
        name: 'orders-timeline'
        policy: loadTextContent('../../apim/apis/commerce/operations/orders-timeline/policy.xml')
      }
      {
        name: 'payments-get'
        policy: loadTextContent('../../apim/apis/commerce/operations/payments-get/policy.xml')
      }
      {
        name: 'payments-refund'
        policy: loadTextContent('../../apim/apis/commerce/operations/payments-refund/policy.xml')
      }
      {
        name: 'payments-webhook'
        policy: loadTextContent('../../apim/apis/commerce/operations/payments-webhook/policy.xml')
      }
      {
        name: 'products-get'
        policy: loadTextContent('../../apim/apis/commerce/operations/products-get/policy.xml')
      }
      {
        name: 'products-list'
        policy: loadTextContent('../../apim/apis/commerce/operations/products-list/policy.xml')
      }
      {
        name: 'products-put'
        policy: loadTextContent('../../apim/apis/commerce/operations/products-put/policy.xml')
      }
      {
        name: 'returns-decide'
        policy: loadTextContent('../../apim/apis/commerce/operations/returns-decide/policy.xml')
      }
      {
        name: 'returns-get'
        policy: loadTextContent('../../apim/apis/commerce/operations/returns-get/policy.xml')
      }
      {
        name: 'returns-list'
        policy: loadTextContent('../../apim/apis/commerce/operations/returns-list/policy.xml')
      }
      {
        name: 'returns-receive'
        policy: loadTextContent('../../apim/apis/commerce/operations/returns-receive/policy.xml')
      }
      {
        name: 'returns-request'
        policy: loadTextContent('../../apim/apis/commerce/operations/returns-request/policy.xml')
      }
      {
        name: 'shipments-get'
        policy: loadTextContent('../../apim/apis/commerce/operations/shipments-get/policy.xml')
      }
      {
        name: 'shipments-list'
        policy: loadTextContent('../../apim/apis/commerce/operations/shipments-list/policy.xml')
      }
      {
        name: 'shipments-ship'
        policy: loadTextContent('../../apim/apis/commerce/operations/shipments-ship/policy.xml')
      }
      {
        name: 'shipments-webhook'
        policy: loadTextContent('../../apim/apis/commerce/operations/shipments-webhook/policy.xml')
      }
      {
        name: 'stock-get'
        policy: loadTextContent('../../apim/apis/commerce/operations/stock-get/policy.xml')
      }
      {
        name: 'stock-put'
        policy: loadTextContent('../../apim/apis/commerce/operations/stock-put/policy.xml')
      }
    ]
  }
]

@export()
var products Product[] = [
  {
    name: 'internal'
    properties: loadJsonContent('../../apim/products/internal/productInformation.json').properties
    policy: loadTextContent('../../apim/products/internal/policy.xml')
    apis: [
      {
        ...loadJsonContent('../../apim/products/internal/apis/commerce/productApiInformation.json')
        name: 'commerce'
      }
    ]
  }
  {
    name: 'partner'
    properties: loadJsonContent('../../apim/products/partner/productInformation.json').properties
    policy: loadTextContent('../../apim/products/partner/policy.xml')
    apis: [
      {
        ...loadJsonContent('../../apim/products/partner/apis/commerce/productApiInformation.json')
        name: 'commerce'
      }
    ]
  }
  {
    name: 'public'
    properties: loadJsonContent('../../apim/products/public/productInformation.json').properties
    policy: loadTextContent('../../apim/products/public/policy.xml')
    apis: [
      {
        ...loadJsonContent('../../apim/products/public/apis/commerce/productApiInformation.json')
        name: 'commerce'
      }
    ]
  }
]
