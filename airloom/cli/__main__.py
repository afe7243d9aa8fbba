"""`python -m airloom.cli`, for an environment whose folder of commands is not on the PATH."""

from airloom.cli.app import main

main()
