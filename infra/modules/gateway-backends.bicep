// Backends with their circuit breakers. Azure wants an address here, not the name of one: named values are put in.
import { Backend } from '../gateway/types.bicep'

param serviceName string
param backends Backend[]
param serviceAddresses { *: string }

resource service 'Microsoft.ApiManagement/service@2024-05-01' existing = {
  name: serviceName
}

resource backend 'Microsoft.ApiManagement/service/backends@2024-05-01' = [
  for backend in backends: {
    parent: service
    name: backend.name
    properties: {
      ...backend.properties
      url: reduce(
        items(serviceAddresses),
        backend.properties.url,
        (url, address) => replace(url, '{{${address.key}}}', address.value)
      )
    }
  }
]
