"""Parameter expressions of schedules, such as `@formatDateTime(subtractFromTime(utcNow(),1,'Day'),'yyyy-MM-dd')`.

A value that begins with `@` is an expression; `@@` stands for a text that begins with `@`. The language is calls of
the functions named here, with texts, numbers and calls as arguments, and nothing else: nothing is looked up anywhere.
All values are texts, as in Azure ML; one for a parameter that is a number becomes one when it is checked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from airloom.errors import AirloomError, InvalidSchedule
from airloom.graph._expression_functions import ARITY, FUNCTIONS, Moment, Value
from airloom.graph.suggest import did_you_mean

__all__ = ["Moment", "evaluate", "evaluate_all", "is_expression"]

MARK = "@"
_LONGEST = 2000
_DEEPEST = 20
_TOKEN = re.compile(r"\s*(?:(?P<name>[A-Za-z_]\w*)|(?P<number>-?\d+)|'(?P<text>(?:[^']|'')*)'|(?P<sign>[(),.]))")


def is_expression(value: Any) -> bool:
    """True for a value that `evaluate` changes."""
    return isinstance(value, str) and value.startswith(MARK)


def evaluate(value: Any, moment: Moment) -> Any:
    """The value that an expression stands for; any other value stays. Raises InvalidSchedule, naming the position."""
    if not is_expression(value):
        return value
    if value.startswith(MARK * 2):
        return value[1:]
    return str(_Reader(value).whole().value(_Scope(value, moment)))


def evaluate_all(values: Mapping[str, Any], moment: Moment) -> dict[str, Any]:
    """All values of parameters evaluated. Errors name the parameter, too."""
    found = {}
    for name, value in values.items():
        try:
            found[name] = evaluate(value, moment)
        except InvalidSchedule as error:
            raise InvalidSchedule(
                f"Parameter {name!r}: {error.message}", hint=error.hint, target=f"parameters.{name}"
            ) from None
    return found


# --- reading ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Scope:
    text: str
    moment: Moment

    def fail(self, position: int, reason: str, hint: str = "") -> NoReturn:
        _fail(self.text, position, reason, hint)


@dataclass(frozen=True)
class _Literal:
    content: Value

    def value(self, scope: _Scope) -> Value:
        return self.content


@dataclass(frozen=True)
class _Call:
    """A call of a function; `name` goes on with the member that is read of what it returns."""

    name: str
    arguments: tuple[_Call | _Literal, ...]
    position: int

    def value(self, scope: _Scope) -> Value:
        values = [argument.value(scope) for argument in self.arguments]
        function = FUNCTIONS[self.name]
        try:
            return function(scope.moment, *values)
        except (ValueError, OverflowError) as error:
            scope.fail(self.position, f"{self.name}: {error}.")
        except AirloomError as error:
            scope.fail(self.position, f"{self.name}: {error.message}", error.hint)


class _Reader:
    """A parser by recursive descent, one method a rule."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 1
        if len(text) > _LONGEST:
            _fail(text, _LONGEST, f"an expression has at most {_LONGEST} characters")

    def whole(self) -> _Call:
        """The expression that is the whole of the text."""
        found = self._expression(0)
        if not isinstance(found, _Call):
            _fail(self._text, 1, "a function was expected", _HINT)
        if self._text[self._position :].strip():
            _fail(self._text, self._position, "the expression should end here")
        return found

    def _expression(self, depth: int) -> _Call | _Literal:
        if depth > _DEEPEST:
            _fail(self._text, self._position, f"calls are nested more than {_DEEPEST} deep")
        begun, token = self._position, self._next()
        if token is None or token["sign"]:
            _fail(self._text, begun, "a function, a text in single quotes or a number was expected", _HINT)
        if token["text"] is not None:
            return _Literal(token["text"].replace("''", "'"))
        if token["number"] is not None:
            return _Literal(int(token["number"]))
        return self._call(token["name"], token.start("name"), depth)

    def _call(self, name: str, begun: int, depth: int) -> _Call:
        known = {each.partition(".")[0] for each in FUNCTIONS}
        if name not in known:
            _fail(self._text, begun, f"there is no function {name[:80]!r}", did_you_mean(name[:80], known))
        self._sign("(")
        arguments: list[_Call | _Literal] = []
        if not self._follows(")"):
            arguments.append(self._expression(depth + 1))
            while self._follows(","):
                self._sign(",")
                arguments.append(self._expression(depth + 1))
        self._sign(")")
        full = name + self._member(name)
        fewest, most = ARITY[full]
        if not fewest <= len(arguments) <= most:
            wanted = str(most) if fewest == most else f"{fewest} to {most}"
            _fail(self._text, begun, f"{name} takes {wanted} arguments, not {len(arguments)}")
        return _Call(full, tuple(arguments), begun)

    def _member(self, name: str) -> str:
        """The `.member` after a call of a function that returns an object."""
        members = [each.partition(".")[2] for each in FUNCTIONS if each.startswith(f"{name}.")]
        if not members:
            return ""
        self._sign(".")
        begun, token = self._position, self._next()
        member = token["name"] if token is not None else None
        if member not in members:
            _fail(self._text, begun, f"{name}() has no such member", f"It has {' and '.join(members)}.")
        return f".{member}"

    def _follows(self, sign: str) -> bool:
        found = _TOKEN.match(self._text, self._position)
        return found is not None and found["sign"] == sign

    def _sign(self, sign: str) -> None:
        begun, token = self._position, self._next()
        if token is None or token["sign"] != sign:
            _fail(self._text, begun, f"{sign!r} was expected")

    def _next(self) -> re.Match[str] | None:
        found = _TOKEN.match(self._text, self._position)
        if found is not None:
            self._position = found.end()
        return found


_HINT = "Write @@ for a text that begins with @."


def _fail(text: str, position: int, reason: str, hint: str = "") -> NoReturn:
    shown = text if len(text) <= 120 else f"{text[:120]}..."
    raise InvalidSchedule(
        f"The expression {shown!r} is wrong at character {position + 1}: {reason.rstrip('.')}.", hint=hint
    )
