"""Making model directories of trained networks."""
