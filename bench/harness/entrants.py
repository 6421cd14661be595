"""Who takes part in a comparison, and who cannot."""

from harness.machine import Failure


class Entrants:
    """`all`: those who are there. `left_out`: those who are not installed, as (name, Debian package)."""

    kind = "client"  # what one is called

    def __init__(self):
        self.all, self.left_out = [], []

    def leave_out(self, name, package):
        if (name, package) not in self.left_out:
            self.left_out.append((name, package))

    def keep(self, names):
        """Only those named stay, or are missing."""
        unknown = set(names) - self.names()
        if unknown:
            raise Failure(f"no {self.kind} {', '.join(sorted(unknown))}; there are "
                          f"{', '.join(entrant.name for entrant in self.all)}")
        self.all = self.named(*names)
        self.left_out = [(name, package) for name, package in self.left_out if name in names]

    def named(self, *names):
        return [entrant for entrant in self.all if entrant.name in names]

    def names(self):
        """Of those who take part, or would."""
        return {entrant.name for entrant in self.all} | {name for name, _ in self.left_out}
