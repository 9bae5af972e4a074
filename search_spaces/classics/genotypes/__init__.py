"""Published cells as literals: facts, with their source."""
