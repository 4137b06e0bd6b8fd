// One service's topic, and the subscriptions that others have to it.

type Rule = {
  name: string
  label: string?
  to: string?
}

type Subscription = {
  topic: string
  name: string
  rules: Rule[]
}

type TopicProperties = {
  DefaultMessageTimeToLive: string
  DuplicateDetectionHistoryTimeWindow: string
  RequiresDuplicateDetection: bool
}

type SubscriptionProperties = {
  DeadLetteringOnMessageExpiration: bool
  DefaultMessageTimeToLive: string
  LockDuration: string
  MaxDeliveryCount: int
  RequiresSession: bool
}

param namespaceName string
param name string
param topicProperties TopicProperties
param subscriptionProperties SubscriptionProperties
param subscriptions Subscription[]

var rules = flatten(map(
  subscriptions,
  subscription => map(subscription.rules, rule => { ...rule, subscription: subscription.name })
))

resource namespace 'Microsoft.ServiceBus/namespaces@2026-01-01' existing = {
  name: namespaceName
}

resource topic 'Microsoft.ServiceBus/namespaces/topics@2026-01-01' = {
  parent: namespace
  name: name
  properties: {
    defaultMessageTimeToLive: topicProperties.DefaultMessageTimeToLive
    duplicateDetectionHistoryTimeWindow: topicProperties.DuplicateDetectionHistoryTimeWindow
    requiresDuplicateDetection: topicProperties.RequiresDuplicateDetection
  }
}

resource subscription 'Microsoft.ServiceBus/namespaces/topics/subscriptions@2026-01-01' = [
  for subscription in subscriptions: {
    parent: topic
    name: subscription.name
    properties: {
      deadLetteringOnMessageExpiration: subscriptionProperties.DeadLetteringOnMessageExpiration
      // a rule that cannot be evaluated is a mistake of ours, which no message may vanish in
      deadLetteringOnFilterEvaluationExceptions: true
      defaultMessageTimeToLive: subscriptionProperties.DefaultMessageTimeToLive
      lockDuration: subscriptionProperties.LockDuration
      maxDeliveryCount: subscriptionProperties.MaxDeliveryCount
      requiresSession: subscriptionProperties.RequiresSession
    }
  }
]

// Azure makes this rule with every subscription, and it takes every message: here it takes none
resource nothing 'Microsoft.ServiceBus/namespaces/topics/subscriptions/rules@2026-01-01' = [
  for (_, index) in subscriptions: {
    parent: subscription[index]
    name: '$Default'
    properties: {
      filterType: 'SqlFilter'
      sqlFilter: { sqlExpression: '1=0' }
    }
  }
]

resource rule 'Microsoft.ServiceBus/namespaces/topics/subscriptions/rules@2026-01-01' = [
  for rule in rules: {
    name: '${namespaceName}/${name}/${rule.subscription}/${rule.name}'
    properties: {
      filterType: 'CorrelationFilter'
      correlationFilter: rule.?to == null ? { label: rule.?label } : { to: rule.?to }
    }
    dependsOn: [subscription]
  }
]
