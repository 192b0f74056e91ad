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
# # Comparing methods
#
# Methods are compared on the same frames: each gets a world of the same seed, whose gains no decision changes.
# What counts is the normalised rate, $Q(x) / \max_{x'} Q(x')$ of each frame, and what it costs: the number of
# decisions that were valued (critic calls) and the time of a frame.

# %%
# %matplotlib inline
import numpy as np
import pandas

from agent import OffloadingAgent
from agent.run.comparison import BaselineAgent
from agent.run.plots import plot_boxes, plot_seeds
from agent.simulation import History, simulate
from env import WirelessPoweredMEC, baselines

SEEDS, FRAMES = range(3), 800

# %% [markdown]
# ## Methods
#
# Two agents, the defaults and the settings of the DROO paper, and four baselines that learn nothing: coordinate
# descent, the relaxed problem rounded, and everybody locally or offloading. A method is a function that makes
# something with `decide` from a world and a seed.


# %%
def baseline(method):
    return lambda world, seed: BaselineAgent(method, world, seed)


METHODS = {
    "agent, defaults": lambda world, seed: OffloadingAgent(world.num_users, seed=seed),
    "agent, published": lambda world, seed: OffloadingAgent(world.num_users, published=True, seed=seed),
    "coordinate descent": baseline(baselines.coordinate_descent),
    "linear relaxation": baseline(baselines.linear_relaxation),
    "all offload": baseline(baselines.all_offload),
    "all local": baseline(baselines.all_local),
}

# %% [markdown]
# ## Runs
#
# Every method in every seed. The results are one table, a row for each frame.

# %%
parts = {}
for name, make in METHODS.items():
    for seed in SEEDS:
        world = WirelessPoweredMEC(num_users=10, seed=seed)
        parts[name, seed] = History(simulate(world, make(world, seed), FRAMES)).to_frame()
results = pandas.concat(parts, names=["method", "seed"])
results[["normalized_rate", "candidates"]].describe().loc[["count", "mean", "min", "max"]]

# %% [markdown]
# ## The last 300 frames
#
# Means over seeds, and the deviation between them.

# %%
last = results[results.index.get_level_values("frame") >= FRAMES - 300]
of_seeds = last.groupby(["method", "seed"]).mean()
table = of_seeds.groupby("method").agg(
    rate=("normalized_rate", "mean"),
    deviation=("normalized_rate", "std"),
    critic_calls=("candidates", "mean"),
    milliseconds=("decide_seconds", lambda seconds: 1e3 * seconds.mean()),
)
table.loc[list(METHODS)].round(4)

# %% [markdown]
# ## How fast the agents learn
#
# The distance to the optimum on a logarithmic scale; the band is from the least to the most of the seeds.


# %%
def rates(name):
    return np.array([parts[name, seed]["normalized_rate"] for seed in SEEDS])  # (seeds, frames)


plot_seeds({name: rates(name) for name in list(METHODS)[:4]})

# %% [markdown]
# Means hide bad frames. The boxes hold the middle half of the frames, whiskers the 5th to the 95th percentile.

# %%
plot_boxes({10: {name: rates(name)[:, -300:].ravel() for name in METHODS}}, "Normalized computation rate")
