"""Many runs of one experiment: a grid, samples or a search over settings, on all processors or a cluster."""

from mec_offloading.commands.sweep import main

if __name__ == "__main__":
    main()
