"""Runs killed at random moments go on as if nothing had been."""

from mec_offloading.commands.kills import main

if __name__ == "__main__":
    main()
