"""The settings' types, one subject a file: frozen, checked when constructed, and carried as JSON into components.

A wrong value raises pydantic's ValidationError, which names the field, what it accepts and what it got. Nothing here
imports another package of the project.
"""
