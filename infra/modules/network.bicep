// The network that the apps call from, and the names that private endpoints have there.
import { Tags } from '../types.bicep'

param name string
param location string
param tags Tags

// Cosmos DB, Service Bus and Key Vault have one public name for each; storage's is the cloud's
var zoneNames = {
  blob: 'privatelink.blob.${environment().suffixes.storage}'
  queue: 'privatelink.queue.${environment().suffixes.storage}'
  table: 'privatelink.table.${environment().suffixes.storage}'
  Sql: 'privatelink.documents.azure.com'
  namespace: 'privatelink.servicebus.windows.net'
  vault: 'privatelink.vaultcore.azure.net'
}
var groups = items(zoneNames)

resource network 'Microsoft.Network/virtualNetworks@2026-01-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: ['10.20.0.0/16'] }
  }

  // each instance of each app takes an address: 2,000 of them
  resource apps 'subnets' = {
    name: 'apps'
    properties: {
      addressPrefix: '10.20.0.0/21'
      networkSecurityGroup: { id: guard.id }
      delegations: [{ name: 'functions', properties: { serviceName: 'Microsoft.App/environments' } }]
    }
  }

  resource endpoints 'subnets' = {
    name: 'endpoints'
    properties: {
      addressPrefix: '10.20.8.0/24'
      networkSecurityGroup: { id: guard.id }
      privateEndpointNetworkPolicies: 'Enabled'
    }
    dependsOn: [apps]
  }
}

// Azure's own rules: what comes from the network is let in, what comes from outside is not
resource guard 'Microsoft.Network/networkSecurityGroups@2026-01-01' = {
  name: 'nsg-${name}'
  location: location
  tags: tags
}

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for group in groups: {
    name: group.value
    location: 'global'
    tags: tags
  }
]

resource link 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (_, index) in groups: {
    parent: zone[index]
    name: name
    location: 'global'
    tags: tags
    properties: {
      registrationEnabled: false
      virtualNetwork: { id: network.id }
    }
  }
]

output appsSubnetId string = network::apps.id
output endpointsSubnetId string = network::endpoints.id

@description('DNS zone of each part of a resource that an endpoint can be for.')
output zones { *: string } = toObject(
  groups,
  group => group.key,
  group => resourceId('Microsoft.Network/privateDnsZones', group.value)
)
