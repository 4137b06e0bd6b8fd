// For azd, whose environment of the name prod is prod, and every other one as small as dev.
using 'main.bicep'
import { dev, prod } from 'environments.bicep'

var name = readEnvironmentVariable('AZURE_ENV_NAME', 'dev')

param environmentName = name
param environment = name == 'prod' ? prod : dev
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
param audience = readEnvironmentVariable('API_AUDIENCE')
param webOrigin = readEnvironmentVariable('WEB_ORIGIN', 'http://localhost:3000')
param publisher = { name: 'Durable Commerce', email: readEnvironmentVariable('OPERATIONS_EMAIL') }
param alertEmails = [readEnvironmentVariable('OPERATIONS_EMAIL')]
param secrets = json(readEnvironmentVariable('PROVIDER_SECRETS', '{}'))
