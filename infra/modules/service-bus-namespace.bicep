// The namespace that all topics share; nobody has a key to it.
import { Tags } from '../types.bicep'

param name string
param location string
param tags Tags
param sku 'Standard' | 'Premium'
param capacity 1 | 2 | 4 | 8 | 16
param publicNetworkAccess 'Enabled' | 'Disabled'
param workspaceId string

resource namespace 'Microsoft.ServiceBus/namespaces@2026-01-01' = {
  name: name
  location: location
  tags: tags
  sku: sku == 'Premium' ? { name: sku, tier: sku, capacity: capacity } : { name: sku, tier: sku }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
    publicNetworkAccess: publicNetworkAccess
    ...(sku == 'Premium' ? { premiumMessagingPartitions: 1 } : {})
  }
}

#disable-next-line use-recent-api-versions // the newer one is of 2016 and has no tables of their own
resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: namespace
  name: 'workspace'
  properties: {
    workspaceId: workspaceId
    logs: [
      { category: 'OperationalLogs', enabled: true }
      { category: 'DiagnosticErrorLogs', enabled: true }
    ]
  }
}

output id string = namespace.id
output name string = namespace.name

@description('Host name, as clients and triggers name the namespace.')
output fullyQualifiedName string = replace(
  replace(namespace.properties.serviceBusEndpoint, 'https://', ''),
  ':443/',
  ''
)
