"""The reader of expressions finds what is asked for."""

from tests.monitoring.promql import grouped_by, selectors


def test_selectors_are_found() -> None:
    """Names with their labels; functions, groupings, numbers and words of the language are none."""
    expr = (
        'sum by (pod, le) (rate(a_bucket{x="1, }", y=~"$y"}[5m])) / (b:c * 2 > 0) unless on (pod) time() - d offset 5m'
    )
    found = [(each.metric, dict(each.matchers), each.ranged) for each in selectors(expr)]
    assert found == [("a_bucket", {"x": "1, }", "y": "$y"}, True), ("b:c", {}, False), ("d", {}, False)]
    assert selectors(expr)[0].text == 'a_bucket{x="1, }",y=~"$y"}'


def test_groupings_are_found() -> None:
    """Labels of `by`, `on` and the like."""
    assert grouped_by("sum by (a, b) (x) * on (c) group_left () y") == {"a", "b", "c"}
    assert grouped_by("sum(x)") == set()
