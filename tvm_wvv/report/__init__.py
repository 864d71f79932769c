"""What a user reads: figures as plain values, tables for people, JSON objects for machines."""
