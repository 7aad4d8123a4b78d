"""`python -m openslot_server` is the `openslot` command."""

from openslot_server.cli.main import main

main()
