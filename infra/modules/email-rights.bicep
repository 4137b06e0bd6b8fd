// What one identity may do on the resource that sends e-mail. It is there when this runs.
import { Right } from '../types.bicep'

param senderName string

@description('Name of the identity: a part of the assignments\' names.')
param holder string
param principalId string
param rights Right[]

resource sender 'Microsoft.Communication/communicationServices@2025-05-01' existing = {
  name: senderName
}

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for right in rights: {
    scope: sender
    name: guid(sender.id, holder, right.roleId)
    properties: {
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', right.roleId)
    }
  }
]
