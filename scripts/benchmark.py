"""Time a frame and of that its parts, against its network alone, the published loop, and replicas of it."""

from mec_offloading.commands.benchmark import main

if __name__ == "__main__":
    main()
