"""The certified optimum of 30 users and 4 servers against SCIP, which knows nothing of this project's bounds."""

import numpy as np
import pytest

from env import MultiServerMEC
from env.multi_server.costs import Costs, cost_of

pyscipopt = pytest.importorskip("pyscipopt")


def solved_by_scip(costs: Costs, places: int):
    """Its decision (N,) and lower bound for the mixed-integer program: a square below each load's epigraph."""
    num_users, num_servers = costs.cpu.shape
    model = pyscipopt.Model()
    model.hideOutput()
    model.setParam("numerics/feastol", 1e-9)
    on = [[model.addVar(vtype="B") for _ in range(num_servers)] for _ in range(num_users)]
    for user in on:
        model.addCons(pyscipopt.quicksum(user) <= 1)
    squares = []
    for server in range(num_servers):
        model.addCons(pyscipopt.quicksum(user[server] for user in on) <= places)
        for one in costs:
            load, square = model.addVar(lb=0), model.addVar(lb=0)
            terms = (one[user, server] * on[user][server] for user in range(num_users))
            model.addCons(load == pyscipopt.quicksum(terms))
            model.addCons(square >= load * load)
            squares.append(square)
    offloaded = pyscipopt.quicksum(entry for user in on for entry in user)
    model.setObjective(num_users - offloaded + pyscipopt.quicksum(squares))
    model.optimize()
    assert model.getStatus() == "optimal"
    chosen = np.array([[model.getVal(entry) > 0.5 for entry in user] for user in on])
    return np.where(chosen.any(-1), chosen.argmax(-1) + 1, 0), model.getDualbound()


@pytest.mark.parametrize(("capacities", "frames"), [(None, 14), (3, 6)])
def test_optimum_is_scips(capacities, frames):
    world = MultiServerMEC(30, 4, capacities=capacities, seed=0)
    for _ in range(frames):
        optimum = world.optimum()
        decision, bound = solved_by_scip(world.costs, capacities or 30)
        assert optimum.cost == pytest.approx(cost_of(world.costs, decision), abs=1e-9)
        assert optimum.cost == pytest.approx(bound, abs=1e-9)
        world.step(optimum.decision)
