"""The allocation of one LyDROO frame as the paper tells it, one decision at a time; timed against `allocate`."""

from mec_offloading.commands.textbook_lyapunov import main

if __name__ == "__main__":
    main()
