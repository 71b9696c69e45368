"""Read config.yaml and its preset into typed settings, and report all mistakes at once, each with its path.

A preset is a file of values (zfnet/presets/NAME.yaml) and config.yaml overrides any of them. Each stage of the workflow
receives only the settings it uses (`stage_text`), so that an unrelated change does not run it again.
"""

import os
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from zfnet.core.errors import ZfnetError
from zfnet.core.files import canonical_json, read_json
from zfnet.core.suggest import did_you_mean
from zfnet.core.yaml_file import read_yaml
from zfnet.data.readers.download import FILES as REMOTE_FILES
from zfnet.renamed_settings import REMOVED, RENAMED
from zfnet.settings import Archives, Settings
from zfnet.synthetic import FILES as WORLD_FILES

PRESETS = Path(__file__).with_name("presets")


def load(config: Mapping[str, Any], presets: Path = PRESETS) -> Settings:
    """Return the settings of the preset that `config` names, overridden by the values in `config`.

    Parameters
    ----------
    config : mapping
        Content of config.yaml: `preset` and any part of the settings.
    presets : Path
        Folder of the presets.

    Raises
    ------
    ZfnetError
        The preset is unknown; or keys are unknown or values invalid (all in one message); or valid values contradict
        each other (all in one message).
    """
    from zfnet.config_checks import contradictions  # imports the nets, which the settings of a stage do not need

    given = {key: value for key, value in config.items() if value is not None}
    name = given.get("preset", "demo")
    settings = _validate(_merge(_preset(name, presets), given))
    if mistakes := contradictions(settings):
        raise _refusal(mistakes)
    return settings


def overlay(path: Path) -> Settings:
    """Return the settings of a config.yaml on disk, for commands that run outside the workflow."""
    return load(read_yaml(path))


def archives(settings: Settings, world: Path, downloads: Path) -> Archives:
    """Return the path of every archive: the user's, else in `downloads` if allowed, else in the generated `world`.

    The user's own ImageNet or VOC images are never combined with a generated devkit or generated test images.
    """
    made = {key: world / file for key, file in WORLD_FILES.items()} if settings.synthetic else {}
    fetched = {key: downloads / file for key, file in REMOTE_FILES.items()} if settings.archives.download else {}
    if settings.archives.imagenet_train or settings.archives.imagenet_val:
        made = {key: path for key, path in made.items() if key not in ("imagenet_devkit", "imagenet_test")}
    if settings.archives.voc2012 or "voc2012" in fetched:
        made.pop("voc2012_test", None)
    return Archives(**{**made, **fetched, **settings.archives.model_dump(exclude_none=True)})


def stage_text(settings: Settings, *parts: str) -> str:
    """Return a stage's settings as canonical JSON: sub-trees ("nets") and single settings ("data.image_size")."""
    include: dict[str, Any] = {}
    for part in parts:
        tree, _, name = part.partition(".")
        if name:
            include.setdefault(tree, set()).add(name)
        else:
            include[tree] = True
    return canonical_json(settings.model_dump(mode="json", include=include))


def load_stage(path: Path) -> Settings:
    """Read the settings file of a stage; settings it does not contain have their defaults and must not be used."""
    return _validate(read_json(path))


def own_commands_first() -> None:
    """Let child processes find this environment's `zfnet`, even if the environment is not activated."""
    own = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([own, os.environ.get("PATH", os.defpath)])


def explain() -> str:
    """Return all settings as a Markdown table: path, default, meaning. docs/settings.md ends with it."""
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    return "\n".join(rows + list(_rows(Settings, ""))) + "\n"


def _preset(name: Any, presets: Path) -> dict[str, Any]:
    known = sorted(path.stem for path in presets.glob("*.yaml"))
    if not known:
        raise ZfnetError(f"{presets}: this folder holds no presets; reinstall zfnet.")
    if name not in known:
        raise ZfnetError(
            f"config: preset: {name!r} is not a preset; choose one of {', '.join(known)}{did_you_mean(name, known)}"
        )
    return {**read_yaml(presets / f"{name}.yaml"), "preset": name}


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` overridden by `over`, key by key at every depth."""
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
    title = f"config: {count}; docs/settings.md explains every setting."
    return ZfnetError("\n".join([title, *(f"  {mistake}" for mistake in mistakes)]))


def _sentence(mistake: Mapping[str, Any]) -> str:
    path = [str(part) for part in mistake["loc"]]
    name = ".".join(path)
    if mistake["type"] == "extra_forbidden":
        model = _model_at(path[:-1])
        known = list(model.model_fields)
        if new := _renamed(model, path[-1]):
            return f"{name}: this setting is now called {'.'.join([*path[:-1], new])}."
        if reason := REMOVED.get(model.__name__, {}).get(path[-1]):
            return f"{name}: this setting was removed, since {reason}; delete it."
        return f"{name}: no such setting; known here: {', '.join(known)}{did_you_mean(path[-1], known)}"
    if mistake["type"] == "value_error":  # a validator of ours, whose sentence needs no copy of the whole sub-tree
        return f"{name}: {mistake['ctx']['error']}."
    return f"{name}: {mistake['msg'][0].lower()}{mistake['msg'][1:]}, found {mistake['input']!r}."


def _renamed(model: type[BaseModel], name: str) -> str | None:
    """Return the present name of a setting that a model had under another name, or None."""
    return next(
        (RENAMED[base.__name__][name] for base in model.__mro__ if name in RENAMED.get(base.__name__, {})), None
    )


def _model_at(path: list[str]) -> type[BaseModel]:
    model: type[BaseModel] = Settings
    for name in path:
        model = _inner_model(model.model_fields[name].annotation) or model
    return model


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    """Return the model within an annotation such as `World | None`, or None."""
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
