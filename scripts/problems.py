"""Agents, with their defaults and with other settings, in small problems of many kinds, against the optimum."""

from mec_offloading.commands.problems import main

if __name__ == "__main__":
    main()
