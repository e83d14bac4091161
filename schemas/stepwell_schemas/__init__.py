"""What is stored or sent: the language's models, loaders, records, commands, API bodies. Imports nothing of ours."""
