"""The commands of the bookstream command line, one file each."""
