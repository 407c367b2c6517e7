"""Files that are whole or not there, and readers of foreign files that cannot run code."""
