"""Random processes: what is drawn anew in every frame, one module a kind."""
