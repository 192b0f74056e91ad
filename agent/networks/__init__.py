"""Networks: from an observation to the logits of every user."""
