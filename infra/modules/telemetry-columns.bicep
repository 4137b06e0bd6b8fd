// What Application Insights adds to each row and nobody asks for is not stored: keys of the component that the row
// belongs to anyhow, and where the app's own servers stand. It would be two fifths of what is paid for.
import { Tags } from '../types.bicep'

param name string
param location string
param tags Tags
param workspaceId string

var ingestion = loadJsonContent('../ingestion.json')

resource rule 'Microsoft.Insights/dataCollectionRules@2024-03-11' = {
  name: name
  location: location
  tags: tags
  kind: 'WorkspaceTransforms'
  properties: {
    destinations: { logAnalytics: [{ name: 'workspace', workspaceResourceId: workspaceId }] }
    dataFlows: [
      for table in ingestion.tables: {
        streams: ['Microsoft-Table-${table}']
        destinations: ['workspace']
        transformKql: 'source | project-away ${join(ingestion.dropped, ', ')}'
      }
    ]
  }
}

output id string = rule.id
