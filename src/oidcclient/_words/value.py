"""
`dataclass`, `field` and `replace` as in the standard library, without what importing `dataclasses` costs.

That import brings `inspect`, `ast` and `dis`: two thirds of what a whole process spends that only reads a cached token.
Only what is used here is supported. To type checkers these are the real ones, and `dataclasses.fields`, `replace` and
their like work on the values all the same.
"""

from __future__ import annotations

__all__ = ["dataclass", "field", "replace"]

TYPE_CHECKING = False  # type checkers take it for typing.TYPE_CHECKING
if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace
else:
    MISSING = object()

    class _Field:
        def __init__(self, default, factory, *, shown):
            self.default, self.factory, self.shown = default, factory, shown

    def field(*, default=MISSING, default_factory=MISSING, repr=True):  # noqa: A002 - as in the standard library
        """Say more of a field than its type and default."""
        return _Field(default, default_factory, shown=repr)

    def replace(value, **changes):
        """Return a copy of a value with some fields changed."""
        kind = type(value)
        names = getattr(kind, "_value_fields", None)
        if names is None:
            import dataclasses  # noqa: PLC0415 - for values of the real ones

            return dataclasses.replace(value, **changes)
        return kind(**{**{name: getattr(value, name) for name in names}, **changes})

    class _StandardFields:
        """What `dataclasses` looks for, made when it looks."""

        def __get__(self, _value, kind):
            import dataclasses  # noqa: PLC0415 - whoever looks has loaded it

            made = []
            for name, one in kind._value_fields.items():
                known = {} if one.default is MISSING else {"default": one.default}
                if one.factory is not MISSING:
                    known["default_factory"] = one.factory
                made.append((name, kind.__annotations__.get(name, object), dataclasses.field(repr=one.shown, **known)))
            return dataclasses.make_dataclass(kind.__name__, made, kw_only=True).__dataclass_fields__

    def dataclass(cls=None, /, *, frozen=False, slots=False, kw_only=False):
        """Give a class the methods of a value."""

        def make(kind):
            return _make(kind, frozen=frozen, slots=slots, kw_only=kw_only)

        return make if cls is None else make(cls)

    def _make(cls, *, frozen, slots, kw_only):
        own = {name: _field_of(cls.__dict__.get(name, MISSING)) for name in cls.__dict__.get("__annotations__", {})}
        inherited = {}
        for base in reversed(cls.__mro__[1:]):
            inherited.update(base.__dict__.get("_value_fields", {}))
        fields = {**inherited, **own}
        members = {
            "__init__": (init := _init(fields, frozen=frozen, kw_only=kw_only, checks=hasattr(cls, "__post_init__"))),
            "__repr__": _repr(tuple(name for name, one in fields.items() if one.shown)),
            "__eq__": _eq(tuple(fields)),
            "__hash__": _hash(tuple(fields)) if frozen else None,
            "__match_args__": () if kw_only else tuple(fields),
            "__dataclass_fields__": _StandardFields(),
            "_value_fields": fields,
        }
        if frozen:
            members |= {"__setattr__": _refuse, "__delattr__": _refuse}
        if slots:
            members |= {"__getstate__": _get_state, "__setstate__": _set_state}
        members = {name: member for name, member in members.items() if cls.__dict__.get(name) is None}
        if not slots:
            init.__globals__.update({f"_set_{name}": _setter(name) for name in fields})
            for name, member in members.items():
                setattr(cls, name, member)
            for name, one in own.items():
                if isinstance(cls.__dict__.get(name), _Field):
                    delattr(cls, name) if one.default is MISSING else setattr(cls, name, one.default)
            return cls
        left_out = {*fields, "__dict__", "__weakref__"}
        body = {name: member for name, member in cls.__dict__.items() if name not in left_out}
        made = type(cls)(cls.__name__, cls.__bases__, {**body, **members, "__slots__": tuple(own)})
        made.__qualname__ = cls.__qualname__
        # A slot's own setter goes past `__setattr__`, and is quicker than that of `object`.
        init.__globals__.update({f"_set_{name}": getattr(made, name).__set__ for name in fields})
        return made

    def _field_of(default):
        return default if isinstance(default, _Field) else _Field(default, MISSING, shown=True)

    def _init(fields, *, frozen, kw_only, checks):
        """Write `__init__` out, so that making a value is as fast as with the standard library."""
        known = {"_missing": MISSING}
        parameters, lines = [], []
        for name, one in fields.items():
            value = name
            if one.factory is not MISSING:
                known[f"_make_{name}"] = one.factory
                parameters.append(f"{name}=_missing")
                value = f"_make_{name}() if {name} is _missing else {name}"
            elif one.default is not MISSING:
                known[f"_default_{name}"] = one.default
                parameters.append(f"{name}=_default_{name}")
            else:
                parameters.append(name)
            lines.append(f" _set_{name}(self, {value})" if frozen else f" self.{name} = {value}")
        lines += [" self.__post_init__()"] if checks else []
        star = ["*"] if kw_only and parameters else []
        source = f"def __init__({', '.join(['self', *star, *parameters])}):\n" + ("\n".join(lines) or " pass")
        exec(source, known)  # noqa: S102 - of names in our own source, as the standard library does
        return known["__init__"]

    def _setter(name):
        return lambda self, value: object.__setattr__(self, name, value)

    def _repr(names):
        def __repr__(self):  # noqa: N807 - it becomes that method
            shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
            return f"{type(self).__qualname__}({shown})"

        return __repr__

    def _eq(names):
        def __eq__(self, other):  # noqa: N807 - it becomes that method
            if other.__class__ is not self.__class__:
                return NotImplemented
            return all(getattr(self, name) == getattr(other, name) for name in names)

        return __eq__

    def _hash(names):
        def __hash__(self):  # noqa: N807 - it becomes that method
            return hash(tuple(getattr(self, name) for name in names))

        return __hash__

    def _refuse(self, name, *_value):
        from dataclasses import FrozenInstanceError  # noqa: PLC0415 - a mistake may cost its import

        raise FrozenInstanceError(f"{type(self).__name__}.{name} cannot be changed")

    def _get_state(self):
        return [getattr(self, name) for name in self._value_fields]

    def _set_state(self, state):
        for name, value in zip(self._value_fields, state, strict=True):
            object.__setattr__(self, name, value)
