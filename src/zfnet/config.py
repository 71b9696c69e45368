"""From config.yaml and a preset to typed settings; all mistakes are reported at once, each with its path.

A preset is a file of values (zfnet/presets/NAME.yaml), config.yaml overrides any of them, and a stage of the
workflow is handed only the settings it uses (`stage_text`), so that an unrelated change makes nothing again.
"""

import difflib
import os
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from zfnet.core.errors import ZfnetError
from zfnet.core.files import canonical_json, read_json
from zfnet.data.readers.download import FILES as REMOTE_FILES
from zfnet.renamed_settings import RENAMED
from zfnet.settings import Archives, Settings
from zfnet.synthetic import FILES as WORLD_FILES

PRESETS = Path(__file__).with_name("presets")


def load(config: Mapping[str, Any], presets: Path = PRESETS) -> Settings:
    """Settings of the preset that `config` names, with the values of `config` over it.

    Parameters
    ----------
    config : mapping
        What config.yaml holds: `preset` and any part of the settings.
    presets : Path
        Folder of the presets.

    Raises
    ------
    ZfnetError
        An unknown preset; else every unknown key and wrong value in one message; else, in one message, all that does
        not fit together.
    """
    from zfnet.config_checks import disagreements  # knows the nets, which the stages' own settings files do not need

    given = {key: value for key, value in config.items() if value is not None}
    name = given.get("preset", "demo")
    settings = _validate(_merge(_preset(name, presets), given))
    if mistakes := disagreements(settings):
        raise _refusal(mistakes)
    return settings


def overlay(path: Path) -> Settings:
    """Settings of a config.yaml on disk; for commands that run outside the workflow."""
    return load(_read_yaml(path))


def archives(settings: Settings, world: Path, downloads: Path) -> Archives:
    """Where every archive is: the user's path, else `downloads` if that is allowed, else the generated `world`.

    Neither the generated devkit nor generated test pictures ever serve the user's pictures of ImageNet or VOC.
    """
    made = {key: world / file for key, file in WORLD_FILES.items()} if settings.synthetic else {}
    fetched = {key: downloads / file for key, file in REMOTE_FILES.items()} if settings.archives.download else {}
    if settings.archives.imagenet_train or settings.archives.imagenet_val:
        made = {key: path for key, path in made.items() if key not in ("imagenet_devkit", "imagenet_test")}
    if settings.archives.voc2012 or "voc2012" in fetched:
        made.pop("voc2012_test", None)
    return Archives(**{**made, **fetched, **settings.archives.model_dump(exclude_none=True)})


def stage_text(settings: Settings, *parts: str) -> str:
    """Canonical JSON of the named sub-trees ("nets") and single settings ("data.image_size"), the file of one stage."""
    include: dict[str, Any] = {}
    for part in parts:
        tree, _, name = part.partition(".")
        if name:
            include.setdefault(tree, set()).add(name)
        else:
            include[tree] = True
    return canonical_json(settings.model_dump(mode="json", include=include))


def load_stage(path: Path) -> Settings:
    """Read a stage's settings file; what it lacks keeps its default and is not to be used."""
    return _validate(read_json(path))


def own_commands_first() -> None:
    """Let child processes find `zfnet` of the environment that runs this one, whether that is activated or not."""
    own = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([own, os.environ.get("PATH", os.defpath)])


def explain() -> str:
    """Every setting as a Markdown table: path, default, meaning. docs/settings.md is this text."""
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    return "\n".join(rows + list(_rows(Settings, ""))) + "\n"


def _preset(name: Any, presets: Path) -> dict[str, Any]:
    known = sorted(path.stem for path in presets.glob("*.yaml"))
    if not known:
        raise ZfnetError(f"{presets}: no presets here; install zfnet from a checkout that has them: pip install -e .")
    if name not in known:
        raise ZfnetError(
            f"config: preset: {name!r} is not a preset; choose one of {', '.join(known)}{_near(name, known)}."
        )
    return {**_read_yaml(presets / f"{name}.yaml"), "preset": name}


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ZfnetError(f"{path}: no such file.") from None
    except UnicodeDecodeError as error:
        raise ZfnetError(f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8.") from None
    except yaml.YAMLError as error:
        raise ZfnetError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(value or {}, dict):
        raise ZfnetError(f"{path}: expected `key: value` lines, found {type(value).__name__}.")
    return value or {}


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` on top of `base`, key by key at every depth."""
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _validate(values: Mapping[str, Any]) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise _refusal([_sentence(mistake) for mistake in error.errors()]) from None


def _refusal(mistakes: list[str]) -> ZfnetError:
    count = f"{len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''}"
    title = f"config: {count}; every setting is explained in docs/settings.md."
    return ZfnetError("\n".join([title, *(f"  {mistake}" for mistake in mistakes)]))


def _sentence(mistake: Mapping[str, Any]) -> str:
    path = [str(part) for part in mistake["loc"]]
    name = ".".join(path)
    if mistake["type"] == "extra_forbidden":
        model = _model_at(path[:-1])
        known = list(model.model_fields)
        if new := _renamed(model, path[-1]):
            return f"{name}: this setting is now called {'.'.join([*path[:-1], new])}."
        return f"{name}: no such setting; known here: {', '.join(known)}{_near(path[-1], known)}."
    if mistake["type"] == "value_error":  # a validator of ours, whose sentence needs no copy of the whole sub-tree
        return f"{name}: {mistake['ctx']['error']}."
    return f"{name}: {mistake['msg'][0].lower()}{mistake['msg'][1:]}, found {mistake['input']!r}."


def _renamed(model: type[BaseModel], name: str) -> str | None:
    """Return the present name of a setting that a model had under another name, or None."""
    return next(
        (RENAMED[base.__name__][name] for base in model.__mro__ if name in RENAMED.get(base.__name__, {})), None
    )


def _near(word: Any, known: list[str]) -> str:
    close = difflib.get_close_matches(str(word), known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _model_at(path: list[str]) -> type[BaseModel]:
    model: type[BaseModel] = Settings
    for name in path:
        model = _inner_model(model.model_fields[name].annotation) or model
    return model


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    """The model within an annotation such as `World | None`, or None."""
    candidates = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType, Annotated) else [annotation]
    return next((one for one in candidates if isinstance(one, type) and issubclass(one, BaseModel)), None)


def _rows(model: type[BaseModel], prefix: str) -> list[str]:
    rows: list[str] = []
    for name, field in model.model_fields.items():
        inner = _inner_model(field.annotation)
        meaning = field.description or ((inner.__doc__ or "").strip().splitlines()[0] if inner else "")
        default = "" if inner else f"`{_plain(field.default)}`"
        rows.append(f"| `{prefix}{name}` | {default} | {meaning}{_choices(field.annotation)} |")
        rows += _rows(inner, f"{prefix}{name}.") if inner else []
    return rows


def _plain(value: Any) -> str:
    return str(list(value)) if isinstance(value, tuple) else str(value)


def _choices(annotation: Any) -> str:
    return f" (one of {', '.join(map(str, get_args(annotation)))})" if get_origin(annotation) is Literal else ""
