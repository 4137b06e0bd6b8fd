// One service's Function App on Flex Consumption. Each function that is not HTTP or Durable scales by itself.
import { Identity, Tags, secretName } from '../types.bicep'

type AlwaysReady = {
  name: string
  instanceCount: int
}

type Setting = {
  name: string
  meaning: string

  @description('null: the environment says it.')
  default: string?
}

type Connection = {
  name: string
  resource: 'cosmos' | 'servicebus' | 'insights' | 'email'

  @description('What the connection calls its address; empty: the setting is the address.')
  identityPart: string
}

param name string
param location string
param tags Tags
param identity Identity

@description('Address of the blob container that the package is deployed to.')
param deploymentContainer string
param instanceMemoryMB 512 | 2048 | 4096

@minValue(40)
@maxValue(1000)
param maximumInstanceCount int
param zoneRedundant bool
param alwaysReady AlwaysReady[]
// what the service declares
param settings Setting[]
param secrets Setting[]
param connections Connection[]

@description('Name of the task hub; null: the service has no orchestrators.')
param taskHub string?

@description('Values of settings in place of their defaults, by name.')
param values { *: string }

@description('Where the app finds what it connects to, by resource.')
param addresses {
  cosmos: string
  servicebus: string
  insights: string
  email: string
  vault: string

  @description('Name of the storage account.')
  storage: string
}

@description('Addresses that may call the app; everybody else is refused.')
param callers string[]

@description('The subnet that the app calls from; null: the public network.')
param subnetId string?

// How the host and the SDKs are told to connect: an address, and the identity that asks for tokens.
var connected = reduce(
  connections,
  connectTo('AzureWebJobsStorage', 'accountName', addresses.storage, identity.clientId),
  (all, connection) => {
    ...all
    ...(empty(connection.identityPart)
      ? { '${connection.name}': addresses[connection.resource] }
      : connectTo(connection.name, connection.identityPart, addresses[connection.resource], identity.clientId))
  }
)
var appSettings = {
  ...connected
  ...toObject(settings, setting => setting.name, setting => values[?setting.name] ?? setting.default!)
  ...toObject(
    secrets,
    setting => setting.name,
    setting => '@Microsoft.KeyVault(SecretUri=${addresses.vault}secrets/${secretName(setting.name)})'
  )
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identity.clientId};Authorization=AAD'
  // each service's sagas in a task hub of its own
  ...(taskHub == null ? {} : { AzureFunctionsJobHost__extensions__durableTask__hubName: taskHub! })
}

@description('A connection by identity, as the Functions extensions and Durable read it.')
func connectTo(name string, part string, address string, clientId string) { *: string } => {
  '${name}__${part}': address
  '${name}__credential': 'managedidentity'
  '${name}__clientId': clientId
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: 'plan-${name}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: { reserved: true, zoneRedundant: zoneRedundant }
}

resource app 'Microsoft.Web/sites@2025-03-01' = {
  name: name
  location: location
  tags: tags
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identity.id}': {} }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    clientAffinityEnabled: false
    publicNetworkAccess: 'Enabled'
    keyVaultReferenceIdentity: identity.id
    virtualNetworkSubnetId: subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: deploymentContainer
          authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: identity.id }
        }
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        alwaysReady: alwaysReady
      }
      runtime: { name: 'python', version: '3.12' }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      http20Enabled: true
      ftpsState: 'Disabled'
      appSettings: [for setting in items(appSettings): { name: setting.key, value: setting.value }]
      ipSecurityRestrictionsDefaultAction: 'Deny'
      ipSecurityRestrictions: [
        for (caller, index) in callers: {
          name: 'gateway-${index}'
          ipAddress: '${caller}/32'
          action: 'Allow'
          priority: 100 + index
        }
      ]
      // packages are deployed here, by who has a role on the app: passwords are off
      scmIpSecurityRestrictionsUseMain: false
      scmIpSecurityRestrictionsDefaultAction: 'Allow'
    }
  }

  resource ftpPasswords 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: { allow: false }
  }

  resource deploymentPasswords 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: { allow: false }
  }
}

output name string = app.name
output hostName string = app.properties.defaultHostName
