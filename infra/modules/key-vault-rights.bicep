// What one identity may do on single secrets. They are there when this runs.
import { Right, secretName } from '../types.bicep'

param vaultName string

@description('Name of the identity: a part of the assignments\' names.')
param holder string
param principalId string
param rights Right[]

resource vault 'Microsoft.KeyVault/vaults@2026-02-01' existing = {
  name: vaultName
}

resource secret 'Microsoft.KeyVault/vaults/secrets@2026-02-01' existing = [
  for right in rights: {
    parent: vault
    name: secretName(right.name)
  }
]

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (right, index) in rights: {
    scope: secret[index]
    name: guid(secret[index].id, holder, right.roleId)
    properties: {
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', right.roleId)
    }
  }
]
