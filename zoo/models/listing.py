"""The list of models that the zoo can build."""

from __future__ import annotations

import inspect

from zoo.models.general_saliency import general_saliency
from zoo.models.joint import joint
from zoo.models.lsts import lsts
from zoo.models.rmdn import rmdn
from zoo.models.soft_attention import soft_attention
from zoo.models.spatiotemporal_attention import spatiotemporal_attention

BUILDERS = (general_saliency, joint, lsts, rmdn, soft_attention, spatiotemporal_attention)


def list_models() -> dict[str, str]:
    """Name of each model -> the first line of its description.

    Example: `for name, description in zoo.list_models().items(): print(name, description)`
    """
    return {b.__name__: inspect.getdoc(b).splitlines()[0] for b in BUILDERS}
