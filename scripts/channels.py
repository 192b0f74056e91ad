"""Pictures of channels: gains over time, a map with a moving user, and how gains are distributed."""

from mec_offloading.commands.channels import main

if __name__ == "__main__":
    main()
