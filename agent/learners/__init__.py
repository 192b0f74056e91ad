"""Learners: how a network is trained on minibatches, one module a backend."""
