"""The config types, one file per subject: frozen, validated when constructed, and passed to components as JSON.

A wrong value raises pydantic's ValidationError, which names the field, what it accepts and what it got. This package
imports no other package of the project.
"""
