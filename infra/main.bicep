// One environment of the whole system, in a resource group of its own. What there is comes from infra/services.json,
// which the services' declarations are written to; how large it is comes from infra/environments.bicep.
import { Environment } from 'types.bicep'

targetScope = 'subscription'

@description('Name of the environment, such as dev: a part of every name.')
@minLength(2)
@maxLength(8)
param environmentName string
param environment Environment
param location string

@description('Client id of the application that infra/entra.sh makes: the audience of access tokens.')
param audience string

@description('Tenant of that application.')
param tenantId string = tenant().tenantId

@description('Origin of the web shop, which browsers may call the API from.')
param webOrigin string

@description('Shown to those who call the API.')
param publisher {
  name: string
  email: string
}

@description('Who is told of alerts and costs.')
@minLength(1)
param alertEmails string[]

@description('Values of the providers\' secrets by setting. One that is missing stays as it is in Key Vault.')
@secure()
param secrets { *: string } = {}

@description('First month of the budget.')
param budgetStart string = utcNow('yyyy-MM-01')

param tags { *: string } = {}

var declared = loadJsonContent('services.json')
var services = declared.services
var everything = union(
  tags,
  { application: 'durable-commerce', environment: environmentName, 'azd-env-name': environmentName }
)
var suffix = 'commerce-${environmentName}'
// names that all of Azure shares: the same for each deployment to this subscription, others for another one
var token = uniqueString(subscription().id, environmentName, location)

var accountName = 'cosmos-${environmentName}-${token}'
var namespaceName = 'sb-${environmentName}-${token}'
var vaultName = 'kv${take(environmentName, 4)}${token}'
var gatewayName = 'apim-${environmentName}-${token}'
var senderName = 'acs-${environmentName}-${token}'
var componentName = 'appi-${suffix}'
var identityNames = map(services, service => 'id-${service.name}-${environmentName}')

var networkAccess = environment.privateNetworking ? 'Disabled' : 'Enabled'
var issuer = '${az.environment().authentication.loginEndpoint}${tenantId}/v2.0'
var appNames = map(services, service => 'func-${service.name}-${environmentName}-${token}')
// Azure's names for a Function App's address, known before there is an app
var appAddresses = toObject(
  services,
  service => '${service.name}-url',
  service => 'https://func-${service.name}-${environmentName}-${token}.azurewebsites.net/api/v1'
)
// two services may share one
var secretSettings = union(flatten(map(services, service => map(service.secrets, secret => secret.name))), [])

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-${suffix}'
  location: location
  tags: everything
}

module budget 'modules/budget.bicep' = {
  scope: group
  params: { name: 'budget-${suffix}', amount: environment.monthlyBudget, emails: alertEmails, startDate: budgetStart }
}

module logs 'modules/log-analytics.bicep' = {
  scope: group
  params: {
    name: 'log-${suffix}'
    location: location
    tags: everything
    retentionInDays: environment.logs.retentionInDays
    dailyQuotaGb: environment.logs.dailyQuotaGb
  }
}

module columns 'modules/telemetry-columns.bicep' = {
  scope: group
  params: { name: 'dcr-${suffix}', location: location, tags: everything, workspaceId: logs.outputs.id }
}

module logsByRule 'modules/log-analytics.bicep' = {
  scope: group
  params: {
    name: 'log-${suffix}'
    location: location
    tags: everything
    retentionInDays: environment.logs.retentionInDays
    dailyQuotaGb: environment.logs.dailyQuotaGb
    ruleId: columns.outputs.id
  }
}

module insights 'modules/application-insights.bicep' = {
  scope: group
  params: { name: componentName, location: location, tags: everything, workspaceId: logs.outputs.id }
}

module network 'modules/network.bicep' = if (environment.privateNetworking) {
  scope: group
  params: { name: 'vnet-${suffix}', location: location, tags: everything }
}

// what the services share

module cosmos 'modules/cosmos-account.bicep' = {
  scope: group
  params: {
    name: accountName
    location: location
    tags: everything
    serverless: environment.cosmos.autoscaleMaximum == 0
    zoneRedundant: environment.cosmos.zoneRedundant
    backup: environment.cosmos.backup
    publicNetworkAccess: networkAccess
    workspaceId: logs.outputs.id
  }
}

module serviceBus 'modules/service-bus-namespace.bicep' = {
  scope: group
  params: {
    name: namespaceName
    location: location
    tags: everything
    sku: environment.serviceBus.sku
    capacity: environment.serviceBus.capacity
    publicNetworkAccess: networkAccess
    workspaceId: logs.outputs.id
  }
}

module vault 'modules/key-vault.bicep' = {
  scope: group
  params: {
    name: vaultName
    location: location
    tags: everything
    publicNetworkAccess: networkAccess
    workspaceId: logs.outputs.id
    settings: secretSettings
    secrets: secrets
  }
}

module email 'modules/email.bicep' = {
  scope: group
  params: {
    name: senderName
    tags: everything
    dataLocation: environment.email.dataLocation
    workspaceId: logs.outputs.id
  }
}

module gateway 'modules/api-management.bicep' = {
  scope: group
  params: {
    name: gatewayName
    location: location
    tags: everything
    sku: environment.gateway.sku
    capacity: environment.gateway.capacity
    publisher: publisher
    componentName: componentName
    workspaceId: logs.outputs.id
  }
  dependsOn: [insights]
}

// what each service has for itself

module identity 'modules/identity.bicep' = [
  for (_, index) in services: {
    scope: group
    params: { name: identityNames[index], location: location, tags: everything }
  }
]

module storage 'modules/storage-account.bicep' = [
  for (service, index) in services: {
    scope: group
    params: {
      name: 'st${take(service.name, 9)}${uniqueString(token, service.name)}'
      location: location
      tags: everything
      sku: environment.storage.sku
      publicNetworkAccess: networkAccess
      holder: identityNames[index]
      principalId: identity[index].outputs.identity.principalId
      rights: filter(service.rights, right => right.resource == 'storage')
    }
  }
]

module database 'modules/cosmos-database.bicep' = [
  for (service, index) in services: {
    scope: group
    params: {
      accountName: accountName
      name: service.name
      containers: service.containers
      autoscaleMaximum: environment.cosmos.autoscaleMaximum
      holder: identityNames[index]
      principalId: identity[index].outputs.identity.principalId
      rights: filter(service.rights, right => right.resource == 'database')
    }
    dependsOn: [cosmos]
  }
]

module topic 'modules/service-bus-topic.bicep' = [
  for service in services: if (service.topic != null) {
    scope: group
    params: {
      namespaceName: namespaceName
      name: service.topic!
      topicProperties: declared.topic
      subscriptionProperties: declared.subscription
      subscriptions: filter(
        flatten(map(services, other => other.subscriptions)),
        subscription => subscription.topic == service.topic
      )
    }
    dependsOn: [serviceBus]
  }
]

module messagingRights 'modules/service-bus-rights.bicep' = [
  for (service, index) in services: {
    scope: group
    params: {
      namespaceName: namespaceName
      holder: identityNames[index]
      principalId: identity[index].outputs.identity.principalId
      rights: filter(service.rights, right => contains(['topic', 'subscription'], right.resource))
    }
    dependsOn: [topic]
  }
]

module secretRights 'modules/key-vault-rights.bicep' = [
  for (service, index) in services: {
    scope: group
    params: {
      vaultName: vaultName
      holder: identityNames[index]
      principalId: identity[index].outputs.identity.principalId
      rights: filter(service.rights, right => right.resource == 'secret')
    }
    dependsOn: [vault]
  }
]

module emailRights 'modules/email-rights.bicep' = [
  for (service, index) in services: {
    scope: group
    params: {
      senderName: senderName
      holder: identityNames[index]
      principalId: identity[index].outputs.identity.principalId
      rights: filter(service.rights, right => right.resource == 'email')
    }
    dependsOn: [email]
  }
]

module telemetryRights 'modules/application-insights-rights.bicep' = [
  for (service, index) in services: {
    scope: group
    params: {
      componentName: componentName
      holder: identityNames[index]
      principalId: identity[index].outputs.identity.principalId
      rights: filter(service.rights, right => right.resource == 'insights')
    }
    dependsOn: [insights]
  }
]

module app 'modules/function-app.bicep' = [
  for (service, index) in services: {
    scope: group
    params: {
      name: appNames[index]
      location: location
      tags: union(everything, { 'azd-service-name': service.name })
      identity: identity[index].outputs.identity
      deploymentContainer: storage[index].outputs.deploymentContainer
      instanceMemoryMB: environment.functions.instanceMemoryMB
      maximumInstanceCount: environment.functions.maximumInstanceCount
      zoneRedundant: environment.functions.zoneRedundant
      alwaysReady: filter(
        [
          { name: 'http', instanceCount: environment.functions.alwaysReadyHttp }
          { name: 'durable', instanceCount: service.durable ? environment.functions.alwaysReadyDurable : 0 }
        ],
        group => group.instanceCount > 0
      )
      settings: service.settings
      secrets: service.secrets
      connections: service.connections
      taskHub: service.durable ? service.name : null
      values: union(
        { AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience, EMAIL_SENDER: email.outputs.address },
        environment.settings
      )
      addresses: {
        cosmos: cosmos.outputs.endpoint
        servicebus: serviceBus.outputs.fullyQualifiedName
        insights: insights.outputs.connectionString
        email: email.outputs.endpoint
        vault: vault.outputs.uri
        storage: storage[index].outputs.name
      }
      callers: gateway.outputs.addresses
      subnetId: network.?outputs.appsSubnetId
    }
    // an app that starts before it may read its storage, queues or secrets stays unhealthy for minutes
    dependsOn: [
      database[index]
      messagingRights[index]
      secretRights[index]
      telemetryRights[index]
      emailRights[index]
    ]
  }
]

// private endpoints

var storageParts = flatten(map(
  range(0, length(services)),
  index => map(['blob', 'queue', 'table'], part => { index: index, part: part })
))

module storageEndpoint 'modules/private-endpoint.bicep' = [
  for entry in storageParts: if (environment.privateNetworking) {
    scope: group
    params: {
      name: 'pe-st-${services[entry.index].name}-${entry.part}-${environmentName}'
      location: location
      tags: everything
      resourceId: storage[entry.index].outputs.id
      subnetId: network!.outputs.endpointsSubnetId
      part: entry.part
      zoneId: network!.outputs.zones[entry.part]
    }
  }
]

module cosmosEndpoint 'modules/private-endpoint.bicep' = if (environment.privateNetworking) {
  scope: group
  params: {
    name: 'pe-cosmos-${environmentName}'
    location: location
    tags: everything
    resourceId: cosmos.outputs.id
    subnetId: network!.outputs.endpointsSubnetId
    part: 'Sql'
    zoneId: network!.outputs.zones.Sql
  }
}

module serviceBusEndpoint 'modules/private-endpoint.bicep' = if (environment.privateNetworking) {
  scope: group
  params: {
    name: 'pe-sb-${environmentName}'
    location: location
    tags: everything
    resourceId: serviceBus.outputs.id
    subnetId: network!.outputs.endpointsSubnetId
    part: 'namespace'
    zoneId: network!.outputs.zones.namespace
  }
}

module vaultEndpoint 'modules/private-endpoint.bicep' = if (environment.privateNetworking) {
  scope: group
  params: {
    name: 'pe-kv-${environmentName}'
    location: location
    tags: everything
    resourceId: vault.outputs.id
    subnetId: network!.outputs.endpointsSubnetId
    part: 'vault'
    zoneId: network!.outputs.zones.vault
  }
}

// the front door

module artifacts 'gateway.bicep' = {
  scope: group
  params: {
    serviceName: gatewayName
    serviceAddresses: appAddresses
    values: {
      'openid-config-url': '${issuer}/.well-known/openid-configuration'
      'api-audience': audience
      'web-origin': webOrigin
      ...environment.namedValues
    }
    addresses: {
      'http://localhost:8080': gateway.outputs.url
      'http://localhost:8082/durable-commerce.local': '${az.environment().authentication.loginEndpoint}${tenantId}'
      'api://durable-commerce': 'api://${audience}'
    }
  }
}

module workbook 'modules/workbook.bicep' = {
  scope: group
  params: {
    name: 'Durable Commerce'
    location: location
    tags: everything
    insightsId: insights.outputs.id
  }
}

module alerts 'modules/alerts.bicep' = {
  scope: group
  params: {
    prefix: suffix
    location: location
    tags: everything
    emails: alertEmails
    namespaceId: serviceBus.outputs.id
    gatewayId: gateway.outputs.id
    insightsId: insights.outputs.id
  }
}

@description('For `infra/entra.sh gateway`: who the gateway is.')
output GATEWAY_PRINCIPAL_ID string = gateway.outputs.principalId
output GATEWAY_URL string = gateway.outputs.url
output RESOURCE_GROUP string = group.name
output KEY_VAULT_NAME string = vault.outputs.name

@description('Function App of each service, in the order of infra/services.json.')
output FUNCTION_APPS string[] = appNames
