"""A small problem with choices: users share servers of unequal worth, and its optimum is known by trying all."""

import numpy as np

from env import Categorical, Environment


class Servers(Environment):
    """On a server the users' worths add up, over the root of how many they are; alone each has 0.5."""

    def __init__(self, num_users: int = 4, num_servers: int = 2, *, seed: int = 0) -> None:
        self.num_users, self.num_servers = num_users, num_servers
        self.decisions = Categorical(num_users, num_servers + 1)
        super().__init__(seed)

    def begin_frame(self):
        self.worth = self.rng.exponential(size=(self.num_users, self.num_servers))

    def observe(self):
        return np.log(self.worth)

    def evaluate(self, decisions):
        decisions = self.decisions.check("decisions", decisions)
        value = 0.5 * (decisions == 0).sum(-1)
        for server in range(self.num_servers):
            there = decisions == server + 1
            value = value + there @ self.worth[:, server] / np.sqrt(np.maximum(there.sum(-1), 1))
        return value

    def frame_optimum(self):
        return self.best_of_all(3**8)
