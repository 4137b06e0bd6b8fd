// The address that one part of a resource has inside the network.
import { Tags } from '../types.bicep'

param name string
param location string
param tags Tags
param resourceId string
param subnetId string

@description('Part of the resource, such as blob or queue.')
param part string
param zoneId string

resource endpoint 'Microsoft.Network/privateEndpoints@2026-01-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    subnet: { id: subnetId }
    privateLinkServiceConnections: [
      { name: part, properties: { privateLinkServiceId: resourceId, groupIds: [part] } }
    ]
  }
}

resource dnsName 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2026-01-01' = {
  parent: endpoint
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [{ name: toLower(part), properties: { privateDnsZoneId: zoneId } }]
  }
}
