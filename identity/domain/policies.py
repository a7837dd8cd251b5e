"""What one identifier of a kind says about who somebody is; per kind, with defaults that a corp may override."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

# Priorities 1 and 2 are strong: such an identifier is one person's, for certain.
STRONG = 2
# Priorities up to 4 are accounts of one person; what comes after them (a phone, an e-mail) people share.
ACCOUNT = 4


@dataclass(frozen=True, slots=True)
class Policy:
    """`most_per_customer`: identifiers of the kind that one person may have. `most_customers`: persons with a strong
    identifier that one value may be linked to. `denied`: ids of values that name nobody."""

    kind: str
    priority: int
    most_per_customer: int
    most_customers: int
    # How values become one spelling (chassis.kernel.identifiers); it is part of every id, so no corp can change it.
    normaliser: str = "text"
    denied: frozenset[str] = frozenset()

    @property
    def is_strong(self) -> bool:
        return self.priority <= STRONG

    @property
    def is_shared(self) -> bool:
        return self.priority > ACCOUNT


DEFAULTS: Mapping[str, Policy] = {
    policy.kind: policy
    for policy in (
        Policy("unionid", priority=1, most_per_customer=1, most_customers=1),
        Policy("external_userid", priority=2, most_per_customer=1, most_customers=1),
        Policy("yz_open_id", priority=3, most_per_customer=5, most_customers=1),
        Policy("openid", priority=4, most_per_customer=5, most_customers=1),
        Policy("phone", priority=5, most_per_customer=3, most_customers=3, normaliser="phone"),
    )
}


@dataclass(frozen=True, slots=True)
class Policies:
    """A corp's policies: its own where it has some, and else the defaults."""

    own: Mapping[str, Policy] = field(default_factory=dict)

    def of(self, kind: str) -> Policy:
        """A kind that nobody has named is weak: its values are shared."""
        return self.own.get(kind) or DEFAULTS.get(kind) or Policy(kind, 6, most_per_customer=5, most_customers=3)

    def every(self) -> Iterable[Policy]:
        """All that have a name, the strongest first."""
        kinds = sorted({*DEFAULTS, *self.own})
        return sorted((self.of(kind) for kind in kinds), key=lambda policy: (policy.priority, policy.kind))
