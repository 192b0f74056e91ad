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
# # A first run
#
# $N$ devices share one access point. In each frame of length 1, the access point broadcasts energy for a share
# $a$ of the frame; then each device $i$ either computes its task itself ($x_i = 0$) or sends it to the access
# point ($x_i = 1$) for a share $\tau_i$. With the channel gains $h_i$ of the frame, the weighted sum of the
# computation rates is to be as large as possible:
#
# $$
# \max_{x \in \{0, 1\}^N,\ a,\ \tau} \quad \sum_{i:\, x_i = 0} w_i \eta_1 (a h_i)^{1/3}
#   + \sum_{i:\, x_i = 1} w_i \frac{B \tau_i}{v_u} \log_2(1 + \frac{\mu P a h_i^2}{\tau_i N_0})
#   \qquad \text{with} \quad a + \sum_i \tau_i \le 1 .
# $$
#
# For a given $x$ the rest is convex and solved exactly. What is hard is $x$: there are $2^N$ of them in every
# frame. The DROO agent learns online to propose a few good ones from $h$ (Huang, Bi, Zhang, IEEE Trans. Mobile
# Computing 2020).

# %%
# %matplotlib inline
from agent import OffloadingAgent
from agent.run.plots import plot_candidates, plot_loss, plot_rate
from agent.simulation import History, simulate
from env import WirelessPoweredMEC
from env.drawing import NetworkRecorder, draw_network

# %% [markdown]
# ## The world
#
# Ten devices at 2.5 to 5.2 m, Rayleigh fading. A gain is a power ratio, drawn anew in every frame. Here is a
# frame with its best decision, which the world finds by a certified search:

# %%
world = WirelessPoweredMEC(num_users=10, seed=0)
best = world.optimum(world.gains)
draw_network(world, best.decision)

# %% [markdown]
# ## The run
#
# In each frame the agent sees the gains, its network proposes candidates, the exact solver values each, the best
# one is carried out and remembered, and the network trains on a batch of what it remembers. `History` keeps a
# record of every frame. For a bar that shows how far the run is, put `tqdm.auto.tqdm(..., total=1500)` around
# `simulate(...)`.

# %%
agent = OffloadingAgent(num_users=10, seed=0)
history = History(simulate(world, agent, frames=1500))
table = history.to_frame()
table[["value", "optimum", "normalized_rate", "candidates", "loss"]].tail()

# %% [markdown]
# The normalised rate is the rate that was carried out over the best one of that frame. As the agent learns, it
# comes near to 1:

# %%
table["normalized_rate"].groupby(table.index // 300).agg(["mean", "min"])

# %%
plot_rate(history, labels=world.metric_labels)

# %% [markdown]
# ## What the network learns
#
# The loss is the cross-entropy between the network's outputs and the best decisions that were found. The held-out
# accuracy is the share of users for whom the rounded output was right, on frames that the network had not yet
# trained on.

# %%
plot_loss(history)

# %% [markdown]
# The number of candidates $K$ is what a frame costs. Where the best candidate has a low place, fewer would do.

# %%
plot_candidates(history)

# %% [markdown]
# ## What it does now
#
# Ten more frames, with what the agent decides in each. `recorder.save("run.gif")` makes a film of it.

# %%
recorder = NetworkRecorder(world)
for _ in range(10):
    decision, rate = agent.decide(world.observe(), world.evaluate)
    recorder.record(decision, rate)
    world.step(decision)
recorder.draw()
