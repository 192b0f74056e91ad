"""Methods side by side on the same frames, against the certified optimum."""

from mec_offloading.commands.compare import main

if __name__ == "__main__":
    main()
