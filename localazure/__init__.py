"""The Azure services this app uses, on one machine, for the unmodified SDKs. Never deployed."""
