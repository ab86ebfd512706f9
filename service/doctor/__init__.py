"""Beside the flow: looks for what keeps the service from its work or its promises, and names the remedy."""
