"""Write channel gains with certified optima in the layout of the published data sets, or check a file."""

from mec_offloading.commands.make_dataset import main

if __name__ == "__main__":
    main()
