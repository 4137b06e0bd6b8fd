// Where traces and metrics of the apps and of the gateway lie, on the workspace.
import { Tags } from '../types.bicep'

param name string
param location string
param tags Tags
param workspaceId string

resource component 'Microsoft.Insights/components@2020-02-02' = {
  name: name
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspaceId
    IngestionMode: 'LogAnalytics'
    DisableLocalAuth: true
  }
}

output id string = component.id
output name string = component.name

@description('An address, and an id that admits nobody: the component takes tokens of identities alone.')
output connectionString string = component.properties.ConnectionString
