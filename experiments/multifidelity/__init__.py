"""What it saves to cut trainings short, on learning curves that are known: NAS-Bench-301's surrogate."""
