"""The version of this project, which its files carry."""

VERSION = "0.3.0"
