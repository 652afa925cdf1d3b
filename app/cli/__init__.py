"""The command line: a file a noun. `app.cli.main` puts the commands together."""
