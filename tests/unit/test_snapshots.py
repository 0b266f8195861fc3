"""When what Fortnox has under a number is clearly something else."""

import pytest

from delivery.snapshots import Identity, clearly_different


@pytest.mark.parametrize(
    ("ours", "theirs", "different"),
    [
        (("Skånska Bygg AB", "556677-8899"), ("Ett helt annat namn", "5566778899"), False),
        (("Skånska Bygg AB", "556677-8899"), ("Skånska Bygg AB", "556000-0001"), True),
        (("Skånska Bygg AB", "556677-8899"), ("Skånska Bygg AB", "SE556677889901"), False),
        (("Anna Ek", "19121212-1212"), ("Anna Ek", "121212-1212"), False),
        (("Skånska Bygg AB", None), ("skånska bygg aktiebolag", "556677-8899"), False),
        (("Skånska Bygg AB", None), ("Skånska Bygg och Mark AB", None), False),
        (("Volvo AB", None), ("Volvo Personvagnar Sverige Aktiebolag", None), False),
        (("Skanska Bygg AB", None), ("Skånska Byggen", None), False),
        (("Skånska Bygg AB", None), ("Andersson Måleri AB", None), True),
        (("Volvo", None), ("ICA", None), True),
        (("Ombyggnad", None), ("", None), False),  # nothing to tell it from
        (("AB", None), ("Andersson Måleri", None), False),
    ],
)
def test_the_organisation_number_decides_and_else_the_name(
    ours: tuple[str, str | None], theirs: tuple[str, str | None], different: bool
) -> None:
    assert clearly_different(Identity(*ours), Identity(*theirs)) is different
    assert clearly_different(Identity(*theirs), Identity(*ours)) is different
