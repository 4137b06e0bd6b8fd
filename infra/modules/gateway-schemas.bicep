// JSON Schemas that policies name.
import { Schema } from '../gateway/types.bicep'

param serviceName string
param schemas Schema[]

resource service 'Microsoft.ApiManagement/service@2024-05-01' existing = {
  name: serviceName
}

resource schema 'Microsoft.ApiManagement/service/schemas@2024-05-01' = [
  for schema in schemas: {
    parent: service
    name: schema.name
    properties: schema.properties
  }
]
