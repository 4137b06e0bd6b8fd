// Where logs of every resource lie.
import { Tags } from '../types.bicep'

param name string
param location string
param tags Tags
param retentionInDays int
param dailyQuotaGb int

@description('The rule that every row goes through before it is stored; it names this workspace, so it comes after it.')
param ruleId string?

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: retentionInDays
    workspaceCapping: { dailyQuotaGb: dailyQuotaGb }
    features: { disableLocalAuth: true }
    defaultDataCollectionRuleResourceId: ruleId
  }
}

output id string = workspace.id
