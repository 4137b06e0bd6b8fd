using 'main.bicep'
import { dev } from 'environments.bicep'

param environmentName = 'dev'
param environment = dev
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
param audience = readEnvironmentVariable('API_AUDIENCE')
param webOrigin = readEnvironmentVariable('WEB_ORIGIN', 'http://localhost:3000')
param publisher = { name: 'Durable Commerce', email: readEnvironmentVariable('OPERATIONS_EMAIL') }
param alertEmails = [readEnvironmentVariable('OPERATIONS_EMAIL')]
param secrets = json(readEnvironmentVariable('PROVIDER_SECRETS', '{}'))
