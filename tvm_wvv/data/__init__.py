"""Labelled images to measure and calibrate with: the packaged digits, Parquet files, folders of pictures."""
