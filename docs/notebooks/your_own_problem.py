# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Your own problem
#
# A problem is a class that says what an agent sees and what a decision is worth. Here is one: $N$ users have a
# task each, of $d_i$ bits and $c_i$ CPU cycles. A user computes it at $f$ Hz, or sends it over its channel, of
# gain $h_i$, to a server whose bandwidth $B$ and CPU $F$ all users that offload share equally. With
# $m = \sum_i x_i$, the delay of user $i$ is
#
# $$
# T_i(x) = \begin{cases}
#   \dfrac{c_i}{f} & x_i = 0 \\[2ex]
#   \dfrac{m\, d_i}{B \log_2(1 + p h_i / N_0)} + \dfrac{m\, c_i}{F} & x_i = 1
# \end{cases}
# \qquad \text{and} \qquad \min_{x \in \{0, 1\}^N} \sum_i T_i(x) .
# $$
#
# Each user that offloads slows all others that do: that is what makes it a problem.

# %%
# %matplotlib inline
import numpy as np

from agent import OffloadingAgent
from agent.run.plots import plot_metrics, plot_rate
from agent.simulation import History, simulate
from env import Environment, check_environment
from env.drawing import draw_network

# %% [markdown]
# ## The world
#
# `evaluate` gives the values of $K$ decisions at once, larger is better, so a delay is negated and
# `value_is_cost` says so. `frame_optimum` tries all $2^N$ decisions, to compare with; the agent never sees it.
# `positions` and `access_points` are for pictures only.


# %%
class SharedServer(Environment):
    """Users that share a server equally; the value is the negated sum of the delays, s."""

    value_is_cost = True
    metric_labels = {"value": "Value (negated sum of delays, s)", "offloading": "Users that offload"}  # noqa: RUF012
    access_points = np.zeros((1, 2))

    def __init__(self, num_users=8, *, seed=0):
        self.num_users = num_users
        self.positions = np.random.default_rng(seed).uniform(-100, 100, (num_users, 2))  # m
        self.distance = np.hypot(*self.positions.T)
        super().__init__(seed)  # begins the first frame

    def start(self):
        self.offloading = 0

    def begin_frame(self):
        self.gains = 1e-3 * self.distance**-3.0 * self.rng.exponential(size=self.num_users)
        self.bits = self.rng.uniform(1e5, 1e6, self.num_users)
        self.cycles = self.rng.uniform(2e8, 1e9, self.num_users)

    def observe(self):  # (N, F): one row a user, in any unit
        return np.stack([np.log(self.gains), self.bits, self.cycles], axis=-1)

    def evaluate(self, decisions):  # (K, N) -> (K,)
        decisions = self.decisions.check("decisions", decisions)
        sharing = decisions.sum(-1, keepdims=True)
        rate = 10e6 * np.log2(1 + 0.1 * self.gains / 1e-13)
        remote = sharing * (self.bits / rate + self.cycles / 10e9)
        return -np.where(decisions > 0, remote, self.cycles / 1e9).sum(-1)

    def frame_optimum(self):
        return self.best_of_all(2**12)

    def carry_out(self, decision):
        self.offloading = int(decision.sum())

    def frame_metrics(self):
        return {"offloading": self.offloading}


# %% [markdown]
# Before an agent learns in it, `check_environment` tries it for some frames: shapes, seeds, the optimum, whether
# `evaluate` changes anything. It says nothing when all is well.

# %%
world = SharedServer()
check_environment(world)

# %% [markdown]
# ## The agent
#
# An agent is told the number of users and of features; its defaults suit observations in any unit.

# %%
agent = OffloadingAgent(num_users=8, num_features=3, seed=0)
history = History(simulate(world, agent, frames=1500))
plot_rate(history, labels=world.metric_labels)

# %%
plot_metrics(history, {"offloading": world.metric_labels["offloading"]})

# %% [markdown]
# The users that it sends to the server in the next frame. Here the places are known.

# %%
decision, value = agent.decide(world.observe(), world.evaluate)
draw_network(world, decision)

# %% [markdown]
# How near it came to the best decision, and how often it found it:

# %%
last = history.to_frame().tail(500)
print(f"normalized rate of the last 500 frames: {last['normalized_rate'].mean():.4f}")
print(f"frames with the best decision: {np.isclose(last['value'], last['optimum']).mean():.1%}")
