// What one identity may do on the component.
import { Right } from '../types.bicep'

param componentName string

@description('Name of the identity: a part of the assignments\' names.')
param holder string
param principalId string
param rights Right[]

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: componentName
}

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for right in rights: {
    scope: component
    name: guid(component.id, holder, right.roleId)
    properties: {
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', right.roleId)
    }
  }
]
