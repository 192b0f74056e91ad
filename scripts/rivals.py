"""Methods with tuned settings side by side: the agents here and those of reinforcement learning."""

from mec_offloading.commands.rivals import main

if __name__ == "__main__":
    main()
