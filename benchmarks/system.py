"""Parts of the system that a benchmark needs."""

from tools.parts import Part, install, may_install


class PartMissing(Exception):
    """A benchmark cannot be run here."""


def need(part: Part) -> None:
    """
    Install a part where that is ours to do, as for the tests.

    Raises:
        PartMissing: It is not there.
    """
    if not part.present() and may_install():
        install([part])
    if not part.present():
        raise PartMissing(f"not measured: {part.name} is missing; on Debian: apt-get install {' '.join(part.packages)}")
