"""Each side collects its own tests: Linux those that start wine, Windows those that run in it."""

import sys

collect_ignore = ["test_windows_wine.py"] if sys.platform == "win32" else ["winside"]
