// One service's topic, and the subscriptions that others have to it.

type Subscription = {
  topic: string
  name: string
  @description('SQL condition of what it lets in')
  filter: string
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

// Azure makes this rule with every subscription, and it takes every message. It is the only one here: on the Standard
// tier each rule that a message is held against costs as much as a message
resource rule 'Microsoft.ServiceBus/namespaces/topics/subscriptions/rules@2026-01-01' = [
  for (entry, index) in subscriptions: {
    parent: subscription[index]
    name: '$Default'
    properties: {
      filterType: 'SqlFilter'
      sqlFilter: { sqlExpression: entry.filter }
    }
  }
]
