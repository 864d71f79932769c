"""The command `wvv`, one file a sub-command. Commands import what they need when they run: `wvv --help` stays fast."""
