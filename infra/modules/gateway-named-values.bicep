// Named values, each with what the environment says in place of its file.
import { NamedValue } from '../gateway/types.bicep'

param serviceName string
param namedValues NamedValue[]
param values { *: string }

resource service 'Microsoft.ApiManagement/service@2024-05-01' existing = {
  name: serviceName
}

resource namedValue 'Microsoft.ApiManagement/service/namedValues@2024-05-01' = [
  for namedValue in namedValues: {
    parent: service
    name: namedValue.name
    properties: { ...namedValue.properties, value: values[?namedValue.name] ?? namedValue.properties.?value }
  }
]
