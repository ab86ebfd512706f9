import logging

from service.consume.quiet import RateLimit


def line(text: str, *args: object) -> logging.LogRecord:
    """A record of a library's logger."""
    return logging.LogRecord("aiokafka.x", logging.ERROR, "", 0, text, args, None)


def test_first_lines_of_each_template_pass_and_the_rest_are_counted() -> None:
    """So many a minute pass of each template; the first of the next minute says how many did not."""
    now = [0.0]
    limit = RateLimit(per_minute=2, clock=lambda: now[0])
    assert [limit.filter(line("failed %s", n)) for n in range(5)] == [True, True, False, False, False]
    assert limit.filter(line("other"))
    now[0] = 61.0
    after = line("failed %s", 5)
    assert limit.filter(after)
    assert after.getMessage() == "failed 5 (3 more like this were left out)"
    again = line("failed %s", 6)
    assert limit.filter(again)
    assert again.getMessage() == "failed 6"
