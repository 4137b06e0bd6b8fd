// What people are woken for. Each alert has its row in docs/operations.md's terms: a promise is about to be broken.
import { Tags } from '../types.bicep'

type Alert = {
  name: string
  description: string

  @description('0: a promise is broken; 1: users are refused; 2: soon one of these.')
  severity: 0 | 1 | 2
  scope: string
  namespace: string
  metric: string
  aggregation: 'Average' | 'Count' | 'Maximum' | 'Total'
  threshold: int
  dimension: string?
  values: string[]?
}

param prefix string
param location string
param tags Tags
param emails string[]
param namespaceId string
param accountId string
param gatewayId string

var alerts Alert[] = [
  {
    name: 'dead-letters'
    description: 'A message was dead-lettered: a service has not heard an event. docs/operations.md says what to do.'
    severity: 1
    scope: namespaceId
    namespace: 'Microsoft.ServiceBus/namespaces'
    metric: 'DeadletteredMessages'
    aggregation: 'Maximum'
    threshold: 0
    dimension: 'EntityName'
  }
  {
    name: 'backlog'
    description: 'More than 10,000 messages wait: a service is away or too slow, and orders time out after three minutes.'
    severity: 1
    scope: namespaceId
    namespace: 'Microsoft.ServiceBus/namespaces'
    metric: 'ActiveMessages'
    aggregation: 'Average'
    threshold: 10000
    dimension: 'EntityName'
  }
  {
    name: 'throttled-database'
    description: 'Cosmos DB refused more than 100 requests in five minutes: raise autoscaleMaximum.'
    severity: 2
    scope: accountId
    namespace: 'Microsoft.DocumentDB/databaseAccounts'
    metric: 'TotalRequests'
    aggregation: 'Count'
    threshold: 100
    dimension: 'StatusCode'
    values: ['429']
  }
  {
    name: 'failing-gateway'
    description: 'The gateway answered more than 20 requests in five minutes with 5xx.'
    severity: 1
    scope: gatewayId
    namespace: 'Microsoft.ApiManagement/service'
    metric: 'Requests'
    aggregation: 'Total'
    threshold: 20
    dimension: 'GatewayResponseCodeCategory'
    values: ['5xx']
  }
]

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: '${prefix}-people'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'commerce'
    emailReceivers: [
      for (email, index) in emails: { name: 'email-${index}', emailAddress: email, useCommonAlertSchema: true }
    ]
  }
}

resource alert 'Microsoft.Insights/metricAlerts@2026-01-01' = [
  for alert in alerts: {
    name: '${prefix}-${alert.name}'
    location: 'global'
    tags: tags
    properties: {
      description: alert.description
      severity: alert.severity
      enabled: true
      scopes: [alert.scope]
      targetResourceRegion: location
      evaluationFrequency: 'PT1M'
      windowSize: 'PT5M'
      autoMitigate: true
      criteria: {
        'odata.type': 'Microsoft.Azure.Monitor.MultipleResourceMultipleMetricCriteria'
        allOf: [
          {
            criterionType: 'StaticThresholdCriterion'
            name: alert.name
            metricNamespace: alert.namespace
            metricName: alert.metric
            operator: 'GreaterThan'
            threshold: alert.threshold
            timeAggregation: alert.aggregation
            dimensions: alert.?dimension == null
              ? []
              : [{ name: alert.?dimension!, operator: 'Include', values: alert.?values ?? ['*'] }]
          }
        ]
      }
      actions: [{ actionGroupId: people.id }]
    }
  }
]
