import json

from service.cli.answers import Answers
from service.cli.lines import Outgoing, read_line
from tests.cli.records import event, letter, result


def command(command_id: str, number: int = 1, *, reply: bool = True) -> Outgoing:
    data = {"account_id": "acc-1", "booking_id": "b-1", "action": "cancel"}
    line = read_line(
        json.dumps({"type": "state-action", "id": command_id, "source": "//pos", "reply": reply, "data": data}), number
    )
    assert isinstance(line, Outgoing)
    return line


def raw(number: int = 1) -> Outgoing:
    line = read_line(json.dumps({"raw": "TABLE 7", "topic": "booking-commands"}), number)
    assert isinstance(line, Outgoing)
    return line


def test_a_result_finds_its_command() -> None:
    """By source and id; events and foreign results answer nothing."""
    answers = Answers()
    one, other = answers.expect(command("c-1")), answers.expect(command("c-2"))
    assert answers.take(event()) is None
    assert answers.take(result("accepted", "c-9")) is None
    assert answers.take(result("refused", "c-2")) is other
    assert (answers.awaited, one.outcome, other.outcome) == (1, "no answer", "refused")
    assert list(answers.unanswered()) == [one]
    assert answers.take(result("accepted", outcome="unchanged")) is one
    assert (answers.awaited, one.outcome, one.repeats) == (0, "unchanged", False)


def test_a_repeat_is_told_by_its_answer() -> None:
    """The same command sent twice is answered in order, the second time with the first answer."""
    answers = Answers()
    first, second = answers.expect(command("c-1", 1)), answers.expect(command("c-1", 2))
    assert answers.take(result("accepted")) is first
    assert answers.take(result("accepted")) is second
    assert (first.repeats, second.repeats) == (False, True)
    assert answers.take(result("accepted")) is None


def test_a_dead_letter_finds_its_record_by_its_place() -> None:
    """Whether the record's place is known before the dead letter comes or after it."""
    answers = Answers()
    one, other = answers.expect(raw(1)), answers.expect(raw(2))
    assert answers.placed(one, 3, 10) is None
    assert answers.take(letter(11)) is None
    assert answers.placed(other, 3, 11) is other
    assert answers.take(letter(10)) is one
    assert [sent.outcome for sent in (one, other)] == ["dead letter", "dead letter"]
    assert answers.awaited == 0


def test_what_broke_the_service_is_answered_once() -> None:
    """A 500 is the answer; its dead letter is not a second one."""
    answers = Answers()
    sent = answers.expect(command("c-1"))
    answers.placed(sent, 3, 10)
    assert answers.take(result("refused", status=500)) is sent
    assert answers.take(letter(10)) is None
    assert sent.outcome == "refused"


def test_nothing_is_awaited_where_no_answer_was_asked_for() -> None:
    """A refusal comes all the same and is taken."""
    answers = Answers()
    sent = answers.expect(command("c-1", reply=False))
    assert (answers.awaited, list(answers.unanswered())) == (0, [])
    assert answers.take(result("refused")) is sent
    assert answers.awaited == 0
