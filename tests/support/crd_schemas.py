"""Where the JSON Schemas of the operators' objects are; they are others' work and no part of the tree."""

import os
from pathlib import Path
from typing import Final

from tests.support.stack import NotHereError

VARIABLE: Final = "BOOKSTREAM_CRD_SCHEMAS"
_DEFAULT: Final = Path(__file__).resolve().parents[2].parent / "shared" / "crds"
REMEDY: Final = f"{VARIABLE} naming a folder with <group>/<kind>_<version>.json of the operators' objects"


def crd_schemas() -> Path:
    """Folder of the schemas; raises NotHereError where none was named and the default does not exist."""
    named = os.environ.get(VARIABLE, "").strip()
    if named:
        return Path(named)
    if not _DEFAULT.is_dir():
        raise NotHereError(f"{VARIABLE} is not set, and there is no ../shared/crds beside the tree")
    return _DEFAULT
