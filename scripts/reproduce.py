"""The figures of the DROO and LyDROO papers' numerical sections, each as a PNG with the numbers as CSV."""

from mec_offloading.commands.reproduce import main

if __name__ == "__main__":
    main()
