// The gateway itself, empty; infra/gateway.bicep fills it with what lies below apim/.
import { Tags } from '../types.bicep'

type Publisher = {
  name: string
  email: string
}

param name string
param location string
param tags Tags
param sku 'Developer' | 'Basic' | 'Standard' | 'Premium'
param capacity int
param publisher Publisher
param componentName string
param workspaceId string

// TLS 1.2 and later alone, for callers and for backends
var oldProtocols = map(
  ['Protocols.Tls10', 'Protocols.Tls11', 'Backend.Protocols.Tls10', 'Backend.Protocols.Tls11', 'Ciphers.TripleDes168'],
  protocol => 'Microsoft.WindowsAzure.ApiManagement.Gateway.Security.${protocol}'
)

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: componentName
}

resource service 'Microsoft.ApiManagement/service@2024-05-01' = {
  name: name
  location: location
  tags: tags
  sku: { name: sku, capacity: capacity }
  identity: { type: 'SystemAssigned' }
  properties: {
    publisherName: publisher.name
    publisherEmail: publisher.email
    apiVersionConstraint: { minApiVersion: '2021-08-01' }
    customProperties: toObject(oldProtocols, protocol => protocol, _ => 'false')
    developerPortalStatus: 'Disabled'
    legacyPortalStatus: 'Disabled'
    publicNetworkAccess: 'Enabled'
  }
}

resource publisherRight 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: component
  name: guid(component.id, service.id, metricsPublisher)
  properties: {
    principalId: service.identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', metricsPublisher)
  }
}

// Monitoring Metrics Publisher
var metricsPublisher = '3913510d-42f4-4e42-8a64-420c390055eb'

resource logger 'Microsoft.ApiManagement/service/loggers@2024-05-01' = {
  parent: service
  name: 'application-insights'
  properties: {
    loggerType: 'applicationInsights'
    resourceId: component.id
    credentials: { connectionString: component.properties.ConnectionString, identityClientId: 'SystemAssigned' }
    isBuffered: true
  }
  dependsOn: [publisherRight]
}

// metrics: what the policies count with emit-metric
resource telemetry 'Microsoft.ApiManagement/service/diagnostics@2024-05-01' = {
  parent: service
  name: 'applicationinsights'
  properties: {
    loggerId: logger.id
    alwaysLog: 'allErrors'
    httpCorrelationProtocol: 'W3C'
    logClientIp: false
    metrics: true
    operationNameFormat: 'Name'
    sampling: { samplingType: 'fixed', percentage: 20 }
    verbosity: 'information'
  }
}

#disable-next-line use-recent-api-versions // the newer one is of 2016 and has no tables of their own
resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: service
  name: 'workspace'
  properties: {
    workspaceId: workspaceId
    logAnalyticsDestinationType: 'Dedicated'
    logs: [{ category: 'GatewayLogs', enabled: true }]
  }
}

output id string = service.id
output name string = service.name
output principalId string = service.identity.principalId
output addresses string[] = service.properties.publicIPAddresses
output url string = service.properties.gatewayUrl
