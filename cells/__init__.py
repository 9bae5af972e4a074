"""What an architecture is made of: operations, genomes, costs, source."""
