"""From a request to its answer: the protocol, the actions, and what they describe."""
