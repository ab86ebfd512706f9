import json
from collections.abc import Sequence
from typing import Any

from service.cli.answers import Answers, Sent
from service.cli.demo import check
from service.cli.demo.play import Played
from service.cli.demo.tell import lines_of, summary
from service.cli.follow import Seen
from service.cli.lines import Outgoing, read_line
from tests.cli.records import event, letter, result


def command(command_id: str, expect: str) -> Outgoing:
    data = {"account_id": "acc-1", "booking_id": "b-1", "action": "confirm"}
    line = read_line(
        json.dumps({"type": "state-action", "id": command_id, "source": "//pos", "data": data, "expect": expect}), 1
    )
    assert isinstance(line, Outgoing)
    return line


def played(sent: Sequence[tuple[str, str]], *came: Seen) -> Played:
    """What it looks like when these ids were sent with these expectations, and these records came."""
    all_of_it, answers = Played(), Answers()
    all_of_it.sent = [answers.expect(command(command_id, expect)) for command_id, expect in sent]
    for seen in came:
        all_of_it.take(seen)
        answers.take(seen)
    return all_of_it


def problems(sent: Sequence[tuple[str, str]], *came: Seen) -> Sequence[str]:
    return check.report(played(sent, *came)).problems


def refused(command_id: str, **members: Any) -> Seen:
    return result("refused", command_id, status=409, error="illegal_state_change", detail="read_only", **members)


def test_a_story_that_was_kept_to_has_no_problems() -> None:
    """Records that come twice, as they may, are counted once."""
    sent = [("1", "applied"), ("2", "applied"), ("2", "repeat"), ("3", "refused 409 read_only"), ("4", "unchanged")]
    came = [
        event(version=1),
        result("accepted", "1", version=1),
        event(version=2),
        event(version=2),
        result("accepted", "2", version=2),
        result("accepted", "2", version=2),
        refused("3"),
        refused("3"),
        result("accepted", "4", outcome="unchanged", version=2),
    ]
    told = check.report(played(sent, *came))
    assert told.problems == []
    assert (told.records, told.events, told.aggregates, told.dead_letters) == (5, 2, 1, 0)
    assert told.outcomes == {"applied": 2, "repeat": 1, "refused": 1, "unchanged": 1}
    assert told.refusals == {"409 read_only": 1}
    assert dict(summary(told))["change events"] == "2 of 1 bookings and visits, versions gapless for each"


def test_another_outcome_is_named_with_its_line() -> None:
    """What was expected and what happened, no answer included."""
    assert problems([("1", "applied")], refused("1")) == [
        "line 1 (state-action b-1): expected applied, got refused 409 read_only"
    ]
    assert problems([("1", "applied")]) == ["line 1 (state-action b-1): expected applied, got no answer"]


def test_a_gap_in_the_versions_is_named() -> None:
    """So are versions in the wrong order."""
    sent = [("1", "applied"), ("2", "applied")]
    first, second = result("accepted", "1", version=1), result("accepted", "2", version=3)
    gap = problems(sent, event(version=1), first, event(version=3), second)
    assert gap == ["booking acc-1/b-1: versions [1, 3]"]
    first, second = result("accepted", "1", version=2), result("accepted", "2", version=1)
    turned = problems(sent, event(version=2), first, event(version=1), second)
    assert turned == ["booking acc-1/b-1: versions [2, 1]"]


def test_a_repeat_must_get_the_first_answer() -> None:
    """Byte for byte."""
    sent = [("1", "unchanged"), ("1", "repeat")]
    first = result("accepted", "1", outcome="unchanged")
    other = result("accepted", "1", outcome="unchanged", state="cancelled")
    assert problems(sent, first, other) == ["line 1: the repeat's answer is not the first one's"]


def test_what_nobody_asked_for_is_named() -> None:
    """An event that no answer speaks of, an answer or a dead letter of nothing that was sent."""
    stray = problems([], event(version=1), refused("9"), letter(7))
    assert [problem.partition(":")[0] for problem in stray] == [
        "an event that no answer speaks of",
        "an answer to nothing that was sent",
        "an answer to nothing that was sent",
    ]


def test_a_command_is_told_with_what_it_became() -> None:
    """Its own event, then those of siblings; or why there is none."""

    def told(*came: Seen) -> list[tuple[str, str]]:
        all_of_it = played([("1", "applied")], *came)
        sent: Sent = all_of_it.sent[0]
        return [(line.tone, line.text.strip()) for line in lines_of(sent, all_of_it)]

    ordered = ("command", "> state-action b-1  confirm  (pos)")
    siblings = [{"booking_id": "b-2", "outcome": "applied", "version": 4}, {"booking_id": "b-3", "outcome": "refused"}]
    of_sibling = event(version=4, booking_id="b-2", replicated_from="b-1")
    assert told(event(), of_sibling, result("accepted", "1", siblings=siblings)) == [
        ordered,
        ("event", "+ b-1    v2  registered -> confirmed  confirm  by external"),
        ("event", "+ b-2    v4  registered -> confirmed  confirm  by external  replicated from b-1"),
    ]
    assert told(refused("1", message="No.")) == [ordered, ("refused", "x 409 read_only: No.")]
    assert told(result("accepted", "1", outcome="unchanged")) == [ordered, ("same", "= unchanged  v2  confirmed")]
    assert told() == [ordered, ("wrong", "? no answer")]
