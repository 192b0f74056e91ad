"""Random and bad inputs against slow references."""

from mec_offloading.commands.fuzz import main

if __name__ == "__main__":
    main()
