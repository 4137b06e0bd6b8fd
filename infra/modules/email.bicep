// Azure Communication Services, from which the shop's e-mail goes out under a domain of Azure's.
import { Tags } from '../types.bicep'

param name string
param tags Tags
param dataLocation string
param workspaceId string

resource service 'Microsoft.Communication/emailServices@2025-05-01' = {
  name: 'mail-${name}'
  location: 'global'
  tags: tags
  properties: { dataLocation: dataLocation }

  // the name that Azure gives its own domain
  resource domain 'domains' = {
    name: 'AzureManagedDomain'
    location: 'global'
    tags: tags
    properties: { domainManagement: 'AzureManaged', userEngagementTracking: 'Disabled' }
  }
}

resource sender 'Microsoft.Communication/communicationServices@2025-05-01' = {
  name: name
  location: 'global'
  tags: tags
  properties: {
    dataLocation: dataLocation
    linkedDomains: [service::domain.id]
    disableLocalAuth: true
    publicNetworkAccess: 'Enabled'
  }
}

#disable-next-line use-recent-api-versions // the newer one is of 2016 and has no tables of their own
resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: sender
  name: 'workspace'
  properties: {
    workspaceId: workspaceId
    // what became of each e-mail is another category, and names whom it was for
    logs: [{ category: 'EmailSendMailOperational', enabled: true }]
  }
}

output name string = sender.name
output endpoint string = 'https://${sender.properties.hostName}'

@description('The address that every domain of Azure\'s sends from.')
output address string = 'DoNotReply@${service::domain.properties.fromSenderDomain}'
