// The shapes of what lies below apim/: the properties that Azure takes, by its own types.

@export()
type NamedValue = {
  name: string
  properties: resourceInput<'Microsoft.ApiManagement/service/namedValues@2024-05-01'>.properties
}

@export()
type Backend = {
  name: string
  properties: resourceInput<'Microsoft.ApiManagement/service/backends@2024-05-01'>.properties
}

@export()
type Schema = {
  name: string
  properties: resourceInput<'Microsoft.ApiManagement/service/schemas@2024-05-01'>.properties
}

@export()
type Fragment = {
  name: string
  properties: resourceInput<'Microsoft.ApiManagement/service/policyFragments@2024-05-01'>.properties
}

@export()
@description('An operation by the id that the import gives it.')
type Operation = {
  name: string
  policy: string
}

@export()
type Api = {
  name: string
  properties: resourceInput<'Microsoft.ApiManagement/service/apis@2024-05-01'>.properties
  policy: string
  operations: Operation[]
}

@export()
@description('An API that a product has.')
type ProductApi = {
  name: string
}

@export()
type Product = {
  name: string
  properties: resourceInput<'Microsoft.ApiManagement/service/products@2024-05-01'>.properties
  policy: string
  apis: ProductApi[]
}
