"""Configurations played in several ways, with every decision and value compared."""

from mec_offloading.commands.bits import main

if __name__ == "__main__":
    main()
