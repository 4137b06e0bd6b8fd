"""What is deployed: the packages of the services, and the environment they run in, with its parts and licences."""
