"""One module for each command, loaded when that command runs. Each has a `command`; `app` lists them."""
