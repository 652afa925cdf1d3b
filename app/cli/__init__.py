"""The command line: a file a noun, each with its `commands`, which `app.cli.main` puts together.

`command_context` is what commands work with, `arguments` reads what was typed, and `CommandError` refuses it.
"""
