// The environments. dev is cheap and idle for most of the day; prod is zone redundant and private.
import { Environment } from 'types.bicep'

@export()
var dev Environment = {
  privateNetworking: false
  functions: {
    instanceMemoryMB: 2048
    maximumInstanceCount: 40
    zoneRedundant: false
    alwaysReadyHttp: 0
    alwaysReadyDurable: 0
  }
  settings: {}
  storage: { sku: 'Standard_LRS' }
  cosmos: { autoscaleMaximum: 0, zoneRedundant: false, backup: 'Continuous7Days' }
  serviceBus: { sku: 'Standard', capacity: 1 }
  gateway: { sku: 'Developer', capacity: 1 }
  email: { dataLocation: 'Europe' }
  namedValues: {}
  logs: { retentionInDays: 30, dailyQuotaGb: 1 }
  monthlyBudget: 150
}

@export()
var prod Environment = {
  privateNetworking: true
  functions: {
    instanceMemoryMB: 2048
    maximumInstanceCount: 100
    zoneRedundant: true
    alwaysReadyHttp: 2
    alwaysReadyDurable: 2
  }
  // one trace in five; errors are kept whole by the host
  settings: { TELEMETRY_SAMPLING: '0.1' }
  storage: { sku: 'Standard_ZRS' }
  cosmos: { autoscaleMaximum: 4000, zoneRedundant: true, backup: 'Continuous30Days' }
  serviceBus: { sku: 'Premium', capacity: 1 }
  gateway: { sku: 'Standard', capacity: 1 }
  email: { dataLocation: 'Europe' }
  namedValues: {}
  logs: { retentionInDays: 90, dailyQuotaGb: -1 }
  monthlyBudget: 2500
}
