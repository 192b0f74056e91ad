"""A paper's experiments, tables and figures from one file: what is missing of them is run."""

from mec_offloading.commands.paper import main

if __name__ == "__main__":
    main()
