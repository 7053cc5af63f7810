"""The commands: thin callers of the library, and the only room that prints results or exits."""
