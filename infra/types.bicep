// What one environment may choose; infra/environments.bicep has the choices.

@export()
@description('How large each resource is, and what differs between environments.')
type Environment = {
  @description('Whether stores are reached over private endpoints alone. Takes Service Bus Premium.')
  privateNetworking: bool

  functions: {
    instanceMemoryMB: 512 | 2048 | 4096

    @description('Instances that one Function App may have at most, 40 to 1000.')
    @minValue(40)
    @maxValue(1000)
    maximumInstanceCount: int

    @description('Whether instances lie in several zones. Always-ready ones are then at least two.')
    zoneRedundant: bool

    @description('Instances that are kept for all HTTP functions of an app, so that none meets a cold start.')
    alwaysReadyHttp: int

    @description('The same for orchestrators and activities. At 0 they wait for the poll of an idle app.')
    alwaysReadyDurable: int
  }

  @description('Values of app settings that are not the default of the declaration, by name.')
  settings: { *: string }

  storage: {
    sku: 'Standard_LRS' | 'Standard_ZRS'
  }

  cosmos: {
    @description('Request units a second that one database may take at most; 0: serverless.')
    autoscaleMaximum: int
    zoneRedundant: bool
    backup: 'Continuous7Days' | 'Continuous30Days'
  }

  serviceBus: {
    sku: 'Standard' | 'Premium'

    @description('Messaging units; Premium alone has them.')
    capacity: 1 | 2 | 4 | 8 | 16
  }

  gateway: {
    @description('quota-by-key and circuit breakers exist in these tiers alone.')
    sku: 'Developer' | 'Basic' | 'Standard' | 'Premium'
    capacity: int
  }

  email: {
    @description('Where e-mail is kept while it is on its way. It cannot be changed later.')
    dataLocation: 'Europe' | 'United States' | 'UK' | 'Australia' | 'Japan' | 'India'
  }

  @description('Values of named values of the gateway that are not those below apim/, by name.')
  namedValues: { *: string }

  logs: {
    retentionInDays: int

    @description('Gigabytes a day, after which nothing more is taken; -1: no limit.')
    dailyQuotaGb: int
  }

  @description('Currency units of the subscription a month, at 80 and 100 percent of which people are told.')
  monthlyBudget: int
}

@export()
@description('One right of a service: a role on the smallest thing it can be given for.')
type Right = {
  role: string
  roleId: string
  resource: 'storage' | 'insights' | 'database' | 'topic' | 'subscription' | 'secret' | 'email'
  name: string
  topic: string
}

@export()
@description('A user-assigned identity.')
type Identity = {
  id: string
  clientId: string
  principalId: string
}

@export()
type Tags = { *: string }

@export()
@description('What Key Vault calls the secret of a setting: it takes letters, digits and dashes.')
func secretName(setting string) string => toLower(replace(setting, '_', '-'))
