// The providers' secrets, and nothing else. A secret that is not given stays as it is.
import { Tags, secretName } from '../types.bicep'

param name string
param location string
param tags Tags
param publicNetworkAccess 'Enabled' | 'Disabled'
param workspaceId string

@description('The settings that are secrets.')
param settings string[]

@description('Values by setting.')
@secure()
param secrets { *: string }

resource vault 'Microsoft.KeyVault/vaults@2026-02-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: true
    enableSoftDelete: true
    enablePurgeProtection: true
    softDeleteRetentionInDays: 90
    publicNetworkAccess: publicNetworkAccess
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: publicNetworkAccess == 'Enabled' ? 'Allow' : 'Deny'
    }
  }
}

resource secret 'Microsoft.KeyVault/vaults/secrets@2026-02-01' = [
  for setting in settings: if (contains(secrets, setting)) {
    parent: vault
    name: secretName(setting)
    properties: {
      value: secrets[setting]
      contentType: 'text/plain'
    }
  }
]

#disable-next-line use-recent-api-versions // the newer one is of 2016 and has no tables of their own
resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: vault
  name: 'workspace'
  properties: {
    workspaceId: workspaceId
    logs: [{ category: 'AuditEvent', enabled: true }]
  }
}

output id string = vault.id
output name string = vault.name
output uri string = vault.properties.vaultUri
