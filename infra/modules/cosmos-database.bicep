// One service's database: its containers, its leases among them, and what its identity may do there.
import { Right } from '../types.bicep'

type Container = {
  name: string
  partitionKey: string

  @description('-1: items may carry a time to live; null: none of them expires.')
  defaultTtl: int?
  outbox: bool
  indexingPolicy: resourceInput<'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers@2025-04-15'>.properties.resource.indexingPolicy
}

param accountName string
param name string
param containers Container[]

@description('Request units a second that the database may take at most; 0: the account is serverless.')
param autoscaleMaximum int

@description('Name of the identity: a part of the assignments\' names.')
param holder string
param principalId string
param rights Right[]

resource account 'Microsoft.DocumentDB/databaseAccounts@2025-04-15' existing = {
  name: accountName
}

resource database 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases@2025-04-15' = {
  parent: account
  name: name
  properties: {
    resource: { id: name }
    options: autoscaleMaximum == 0 ? {} : { autoscaleSettings: { maxThroughput: autoscaleMaximum } }
  }
}

resource container 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers@2025-04-15' = [
  for container in containers: {
    parent: database
    name: container.name
    properties: {
      resource: {
        id: container.name
        partitionKey: { paths: [container.partitionKey], kind: 'Hash', version: 2 }
        indexingPolicy: container.indexingPolicy
        ...(container.?defaultTtl == null ? {} : { defaultTtl: container.?defaultTtl })
      }
    }
  }
]

// Cosmos DB's own assignments: Azure's do not reach its data
resource assignment 'Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments@2025-04-15' = [
  for right in rights: {
    parent: account
    name: guid(database.id, holder, right.roleId)
    properties: {
      principalId: principalId
      roleDefinitionId: '${account.id}/sqlRoleDefinitions/${right.roleId}'
      scope: '${account.id}/dbs/${name}'
    }
  }
]
