"""Beside the flow: finds what is about a person, and has it blanked by commands like any other."""
