"""The decisions about an invoice's files: which are sent along, which are replaced by others', which are left out."""

from collections.abc import Sequence

import pytest

from fortnox import errors as e
from fortnox.errors import Details
from messages import Message
from moment.events import Attachment
from tasks.attachments import (
    LARGEST_SENT,
    FilesResult,
    UploadedFile,
    Uploads,
    after_linking,
    gone,
    replaced,
    to_links,
    unlinked,
)

MB = 1_000_000


def a_file(name: str, size: int = 1000, pdf: bool = True) -> UploadedFile:
    return UploadedFile(id=name, content=f"digest of {name}", size=size, pdf=pdf)


def uploads(*names: str, **given: object) -> Uploads:
    files = {name: (Attachment(file_name=name, content="JVBERg=="), a_file(name)) for name in names}
    return Uploads(files, **given)  # type: ignore[arg-type]


def named(file: str, why: Message) -> Message:
    return Message("file.named", file=file, why=why)


@pytest.mark.parametrize(
    ("files", "sent"),
    [
        ([a_file("a"), a_file("b", pdf=False)], [True, False]),
        ([a_file("a", LARGEST_SENT), a_file("b", LARGEST_SENT + 1)], [True, False]),
        ([a_file(str(n)) for n in range(7)], [True] * 5 + [False] * 2),
        ([a_file("a", 5 * MB), a_file("b", 5 * MB), a_file("c", 4 * MB), a_file("d", 2 * MB), a_file("e", MB)],
         [True, True, True, False, True]),
        ([], []),
    ],
    ids=["pdf only", "largest", "at most five", "15 MB in all, and a smaller one still fits", "none"],
)  # fmt: skip
def test_every_file_is_linked_and_fortnox_sends_pdfs_within_its_limits(
    files: Sequence[UploadedFile], sent: Sequence[bool]
) -> None:
    links = to_links(1001, files)
    assert [link.fileId for link in links] == [file.id for file in files]
    assert [link.includeOnSend for link in links] == sent


@pytest.mark.parametrize(
    ("lacking", "linked", "own", "names"),
    [
        ({"s1": "a.pdf"}, {"other"}, set(), ("a.pdf",)),
        ({"s1": "a.pdf", "s2": "b.pdf"}, {"other"}, set(), ()),
        ({"s1": "a.pdf", "s2": "b.pdf"}, {"other", "another"}, {"own"}, ("a.pdf", "b.pdf")),
        ({"s1": "a.pdf"}, {"own"}, {"own"}, ()),
        ({}, {"other"}, set(), ()),
    ],
    ids=["as many", "fewer", "as many, ours not linked", "only our own", "nothing lacks"],
)
def test_files_are_replaced_where_as_many_files_of_others_are_linked(
    lacking: dict[str, str], linked: set[str], own: set[str], names: tuple[str, ...]
) -> None:
    assert replaced(lacking, linked, own) == names


def test_a_refused_file_is_missing_and_one_that_fortnox_no_longer_has_is_late() -> None:
    lost, too_large = e.NotFound(Details(status=404)), e.FileRefused(Details(situation="file"))
    given = uploads("a.pdf", "b.pdf", "c.pdf", missing=[Message("file.no-time-left")], key_refused=True)
    refused = {"a.pdf": lost, "b.pdf": too_large}
    assert gone(refused) == ["a.pdf"]
    assert after_linking(given, refused) == FilesResult(
        missing=(Message("file.no-time-left"), named("b.pdf", Message("fortnox.file.reason"))),
        late=(named("a.pdf", Message("file.upload-gone")),),
        key_refused=True,
        refused=("b.pdf",),
    )


def test_a_refusal_that_is_not_about_the_file_is_raised() -> None:
    with pytest.raises(e.MissingScope):
        after_linking(uploads("a.pdf"), {"a.pdf": e.MissingScope(Details(situation="scope"))})


def test_files_whose_link_has_no_answer_are_late() -> None:
    given = uploads("a.pdf", "b.pdf", late=[Message("file.no-time-left")])
    _, second = to_links(1001, [uploaded for _, uploaded in given.files.values()])
    assert unlinked(given, [second]) == FilesResult(
        late=(Message("file.no-time-left"), named("b.pdf", Message("file.attaching-unanswered")))
    )


def test_nothing_is_left_out_where_all_is_linked() -> None:
    assert after_linking(uploads("a.pdf"), {}) == FilesResult()
