"""Normalised rates of several runs, over their seeds: a Markdown table of windows of frames, and a plot."""

from mec_offloading.commands.summarize import main

if __name__ == "__main__":
    main()
