"""How often intervals cover, and a method is called different from itself."""

from mec_offloading.commands.intervals import main

if __name__ == "__main__":
    main()
