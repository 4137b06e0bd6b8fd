// What people are woken for: a promise is about to be broken. docs/operations.md says what each alert means and asks for.
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
param gatewayId string

@description('The Application Insights component that the queries ask.')
param insightsId string

type Query = {
  name: string
  description: string
  severity: 0 | 1 | 2
  text: string

  @description('How far back the query looks.')
  window: 'PT5M' | 'PT15M' | 'PT6H'
}

// Each gives rows while its condition holds, and none otherwise.
var queries Query[] = [
  {
    name: 'dead-letters'
    description: 'A message was dead-lettered: a service has not heard an event.'
    severity: 1
    text: loadTextContent('../queries/alerts/dead-letters.kql')
    window: 'PT5M'
  }
  {
    name: 'stuck-sagas'
    description: 'An order has outlived its deadline undecided.'
    severity: 1
    text: loadTextContent('../queries/alerts/stuck-sagas.kql')
    window: 'PT5M'
  }
  {
    name: 'errors'
    description: 'Answers 5xx spend the error budget too fast.'
    severity: 0
    text: loadTextContent('../queries/alerts/errors.kql')
    window: 'PT6H'
  }
  {
    name: 'latency'
    description: 'More than one in twenty requests or orders is slow.'
    severity: 2
    text: loadTextContent('../queries/alerts/latency.kql')
    window: 'PT15M'
  }
  {
    name: 'outbox-lag'
    description: 'Events reach the broker late, or not at all.'
    severity: 1
    text: loadTextContent('../queries/alerts/outbox-lag.kql')
    window: 'PT15M'
  }
  {
    name: 'throttling'
    description: 'Cosmos DB refuses requests: raise autoscaleMaximum.'
    severity: 2
    text: loadTextContent('../queries/alerts/throttling.kql')
    window: 'PT5M'
  }
]

var alerts Alert[] = [
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

resource question 'Microsoft.Insights/scheduledQueryRules@2026-03-01' = [
  for query in queries: {
    name: '${prefix}-${query.name}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: query.name
      description: '${query.description} docs/operations.md, "Alerts", says what to do.'
      severity: query.severity
      enabled: true
      scopes: [insightsId]
      evaluationFrequency: 'PT5M'
      windowSize: query.window
      autoMitigate: true
      criteria: {
        allOf: [
          {
            query: query.text
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
          }
        ]
      }
      actions: { actionGroups: [people.id] }
    }
  }
]
