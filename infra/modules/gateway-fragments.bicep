// Policy fragments. The named values that they use are there when this runs.
import { Fragment } from '../gateway/types.bicep'

param serviceName string
param fragments Fragment[]

resource service 'Microsoft.ApiManagement/service@2024-05-01' existing = {
  name: serviceName
}

resource fragment 'Microsoft.ApiManagement/service/policyFragments@2024-05-01' = [
  for fragment in fragments: {
    parent: service
    name: fragment.name
    properties: fragment.properties
  }
]
