"""How far a brief training ranks networks as a long one does."""
