"""Let an agent learn in an environment and save its curves."""

from mec_offloading.commands.simulate import main

if __name__ == "__main__":
    main()
