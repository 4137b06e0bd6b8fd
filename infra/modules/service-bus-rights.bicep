// What one identity may do on topics and subscriptions. They are there when this runs.
import { Right } from '../types.bicep'

param namespaceName string

@description('Name of the identity: a part of the assignments\' names.')
param holder string
param principalId string
param rights Right[]

var onTopics = filter(rights, right => right.resource == 'topic')
var onSubscriptions = filter(rights, right => right.resource == 'subscription')

resource namespace 'Microsoft.ServiceBus/namespaces@2026-01-01' existing = {
  name: namespaceName
}

resource topic 'Microsoft.ServiceBus/namespaces/topics@2026-01-01' existing = [
  for right in onTopics: {
    parent: namespace
    name: right.name
  }
]

resource subscribed 'Microsoft.ServiceBus/namespaces/topics@2026-01-01' existing = [
  for right in onSubscriptions: {
    parent: namespace
    name: right.topic
  }
]

resource subscription 'Microsoft.ServiceBus/namespaces/topics/subscriptions@2026-01-01' existing = [
  for (right, index) in onSubscriptions: {
    parent: subscribed[index]
    name: right.name
  }
]

resource onTopic 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (right, index) in onTopics: {
    scope: topic[index]
    name: guid(topic[index].id, holder, right.roleId)
    properties: {
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', right.roleId)
    }
  }
]

resource onSubscription 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (right, index) in onSubscriptions: {
    scope: subscription[index]
    name: guid(subscription[index].id, holder, right.roleId)
    properties: {
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', right.roleId)
    }
  }
]
