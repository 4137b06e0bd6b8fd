// Everything below apim/, deployed to a gateway that is there: artifacts.bicep reads each file, once.
import { policy, namedValues, backends, schemas, fragments, apis, products } from 'gateway/artifacts.bicep'

param serviceName string

@description('Where the services are, by named value.')
param serviceAddresses { *: string }

@description('Values of other named values in place of those in the files.')
param values { *: string }

@description('What stands in OpenAPI documents → what is true in this environment.')
param addresses { *: string }

module namedValue 'modules/gateway-named-values.bicep' = {
  params: { serviceName: serviceName, namedValues: namedValues, values: union(serviceAddresses, values) }
}

module backend 'modules/gateway-backends.bicep' = {
  params: { serviceName: serviceName, backends: backends, serviceAddresses: serviceAddresses }
}

module schema 'modules/gateway-schemas.bicep' = {
  params: { serviceName: serviceName, schemas: schemas }
}

module fragment 'modules/gateway-fragments.bicep' = {
  params: { serviceName: serviceName, fragments: fragments }
  dependsOn: [namedValue, schema]
}

module global 'modules/gateway-policy.bicep' = {
  params: { serviceName: serviceName, policy: policy }
  dependsOn: [fragment]
}

module api 'modules/gateway-api.bicep' = [
  for api in apis: {
    params: { serviceName: serviceName, api: api, addresses: addresses }
    dependsOn: [backend, fragment, global]
  }
]

module product 'modules/gateway-product.bicep' = [
  for product in products: {
    params: { serviceName: serviceName, product: product }
    dependsOn: [api]
  }
]
