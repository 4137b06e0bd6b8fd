// One page over the saved queries: where an order is, what became of all, and how the services, queues and stores do.
import { Tags } from '../types.bicep'

type View = {
  name: string
  title: string
  text: string
  visualization: 'table' | 'timechart' | 'barchart'
}

param name string
param location string
param tags Tags

@description('The Application Insights component that the queries ask.')
param insightsId string

var views View[] = [
  {
    name: 'rates'
    title: 'Rate, errors and duration of each operation and function'
    text: loadTextContent('../queries/rates.kql')
    visualization: 'table'
  }
  {
    name: 'services'
    title: 'Who calls what'
    text: loadTextContent('../queries/services.kql')
    visualization: 'table'
  }
  {
    name: 'order-states'
    title: 'Orders by state and reason'
    text: loadTextContent('../queries/order-states.kql')
    visualization: 'barchart'
  }
  {
    name: 'time-to-confirm'
    title: 'Seconds from placed to confirmed'
    text: loadTextContent('../queries/time-to-confirm.kql')
    visualization: 'timechart'
  }
  {
    name: 'waiting'
    title: 'Sagas and what waits for them'
    text: loadTextContent('../queries/waiting.kql')
    visualization: 'timechart'
  }
  {
    name: 'queues'
    title: 'Subscriptions: depth, age of the oldest message, dead letters'
    text: loadTextContent('../queries/queues.kql')
    visualization: 'table'
  }
  {
    name: 'outbox-lag'
    title: 'From an event written to an event relayed'
    text: loadTextContent('../queries/outbox-lag.kql')
    visualization: 'timechart'
  }
  {
    name: 'request-units'
    title: 'Request units and throttles'
    text: loadTextContent('../queries/request-units.kql')
    visualization: 'table'
  }
  {
    name: 'cold-starts'
    title: 'Cold starts'
    text: loadTextContent('../queries/cold-starts.kql')
    visualization: 'timechart'
  }
  {
    name: 'order'
    title: 'One order'
    text: replace(loadTextContent('../queries/order.kql'), '"ord_"', '"{order}"')
    visualization: 'table'
  }
]

var asked = {
  type: 9
  name: 'parameters'
  content: {
    version: 'KqlParameterItem/1.0'
    parameters: [{ version: 'KqlParameterItem/1.0', name: 'order', label: 'Order id', type: 1, value: 'ord_' }]
  }
}

var answers = [
  for view in views: {
    type: 3
    name: view.name
    content: {
      version: 'KqlItem/1.0'
      title: view.title
      query: view.text
      queryType: 0
      resourceType: 'microsoft.insights/components'
      visualization: view.visualization
      size: 0
    }
  }
]

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, name)
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: name
    category: 'workbook'
    sourceId: insightsId
    serializedData: string({
      version: 'Notebook/1.0'
      items: concat([asked], answers)
      fallbackResourceIds: [insightsId]
    })
  }
}
