"""From kernel calls to C text, firmware and runs on a board."""
