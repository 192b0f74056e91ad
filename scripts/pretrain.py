"""Train the set network that the package ships."""

from mec_offloading.commands.pretrain import main

if __name__ == "__main__":
    main()
