using 'main.bicep'
import { prod } from 'environments.bicep'

param environmentName = 'prod'
param environment = prod
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
param audience = readEnvironmentVariable('API_AUDIENCE')
param webOrigin = readEnvironmentVariable('WEB_ORIGIN')
param publisher = { name: 'Durable Commerce', email: readEnvironmentVariable('OPERATIONS_EMAIL') }
param alertEmails = [readEnvironmentVariable('OPERATIONS_EMAIL')]
param secrets = json(readEnvironmentVariable('PROVIDER_SECRETS', '{}'))
