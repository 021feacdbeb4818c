"""From a request to its response: the protocol, the actions, and the descriptions that they return."""
