// One API: its operations from the OpenAPI document, and its policies. Backends, schemas and fragments are there.
import { Api } from '../gateway/types.bicep'

param serviceName string
param api Api

@description('What stands in the document → what is true in this environment.')
param addresses { *: string }

func told(text string, addresses { *: string }) string =>
  reduce(items(addresses), text, (text, address) => replace(text, address.key, address.value))

// A function's text has at most 131 072 characters, except that which string() makes of an object: addresses are
// replaced part by part, and the whole becomes a text at the end.
var source = json(api.properties.?value!)
var document = {
  ...source
  servers: json(told(string(source.servers), addresses))
  paths: toObject(items(source.paths), path => path.key, path => json(told(string(path.value), addresses)))
  components: {
    ...source.components
    securitySchemes: json(told(string(source.components.securitySchemes), addresses))
  }
}

resource service 'Microsoft.ApiManagement/service@2024-05-01' existing = {
  name: serviceName
}

resource imported 'Microsoft.ApiManagement/service/apis@2024-05-01' = {
  parent: service
  name: api.name
  properties: {
    ...api.properties
    value: string(document)
    // otherwise a query parameter that is required becomes a part of the path's template
    translateRequiredQueryParameters: 'query'
  }

  resource policy 'policies' = {
    name: 'policy'
    properties: { format: 'xml', value: api.policy }
  }

  // the import makes the operations, with the ids that stand here
  resource operation 'operations' existing = [
    for operation in api.operations: {
      name: operation.name
    }
  ]
}

resource operationPolicy 'Microsoft.ApiManagement/service/apis/operations/policies@2024-05-01' = [
  for (operation, index) in api.operations: {
    parent: imported::operation[index]
    name: 'policy'
    properties: { format: 'xml', value: operation.policy }
  }
]
