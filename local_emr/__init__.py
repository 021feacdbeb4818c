"""The local EMR: speaks the protocol of Amazon EMR on loopback and really runs what it is asked to run.

Where it is not EMR: it has one node whatever the fleets say, IAM and signatures are not checked, nothing
costs money, clusters are kept in memory, logs are written when a step ends (EMR pushes them every few
minutes), Spark runs in local mode unless the server is given the URL of a Spark master, and what a step
leaves running ends with it.
"""
