"""Labelled images: the packaged digits, Parquet files, folders of pictures, CIFAR-10 in binary."""
