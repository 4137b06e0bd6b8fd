// One product: who may call which APIs, and how much. The APIs are there when this runs.
import { Product } from '../gateway/types.bicep'

param serviceName string
param product Product

resource service 'Microsoft.ApiManagement/service@2024-05-01' existing = {
  name: serviceName
}

resource sold 'Microsoft.ApiManagement/service/products@2024-05-01' = {
  parent: service
  name: product.name
  properties: product.properties

  resource policy 'policies' = {
    name: 'policy'
    properties: { format: 'xml', value: product.policy }
  }

  resource api 'apis' = [
    for api in product.apis: {
      name: api.name
    }
  ]
}
