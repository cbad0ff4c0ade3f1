"""A pass on several hosts that are network namespaces of this machine, some of which come to harm."""
