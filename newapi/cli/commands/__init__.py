"""One file a command: the path is the command line, and the one function of that name is the command."""
