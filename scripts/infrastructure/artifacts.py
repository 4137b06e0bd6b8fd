"""The Bicep file that reads every file below apim/: Bicep loads a file only by a path that is written out.

README.md and the configurations are for people and for one machine; every other file is read once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

PATH = "infra/gateway/artifacts.bicep"
FOLDER = "apim/"
_HEAD = "// Written by `python -m scripts.infrastructure`: every file below apim/ that Azure is told, once.\n"
_TYPES = ("Api", "Backend", "Fragment", "NamedValue", "Product", "Schema")


def bicep(paths: Iterable[str]) -> str:
    """The file for those of `paths` that Azure is told. Raises LookupError for one below apim/ of no known kind."""
    tree = _Tree({path.removeprefix(FOLDER) for path in paths if path.startswith(FOLDER) and not is_local(path)})
    parts = [
        f"policy string = {tree.text('policy.xml')}",
        f"namedValues NamedValue[] = {_list(tree.informed('named values', 'namedValueInformation.json'))}",
        f"backends Backend[] = {_list(tree.informed('backends', 'backendInformation.json'))}",
        f"schemas Schema[] = {_list(_schemas(tree))}",
        f"fragments Fragment[] = {_list(_fragments(tree))}",
        f"apis Api[] = {_list(_apis(tree))}",
        f"products Product[] = {_list(_products(tree))}",
    ]
    if tree.left:
        raise LookupError(f"apim/{', apim/'.join(sorted(tree.left))}: no kind of artifact that is known here")
    imports = f"import {{ {', '.join(_TYPES)} }} from 'types.bicep'\n"
    return _HEAD + imports + "".join(f"\n@export()\nvar {part}\n" for part in parts)


def present(root: Path) -> set[str]:
    """The paths below apim/ that are there, relative to `root`."""
    return {path.relative_to(root).as_posix() for path in (root / FOLDER).rglob("*") if path.is_file()}


def is_local(path: str) -> bool:
    """Whether a path below apim/ is for people or for one machine."""
    return path == f"{FOLDER}README.md" or path.startswith(f"{FOLDER}configuration.")


class _Tree:
    """Paths, of which each is taken once."""

    def __init__(self, paths: set[str]) -> None:
        self.left = paths

    def folders(self, folder: str) -> list[str]:
        """Names directly below `folder`."""
        depth = folder.count("/") + 1
        return sorted({path.split("/")[depth] for path in self.left if path.startswith(f"{folder}/")})

    def text(self, path: str) -> str:
        return f"loadTextContent('{self._take(path)}')"

    def json(self, path: str) -> str:
        return f"loadJsonContent('{self._take(path)}')"

    def properties(self, path: str) -> str:
        return f"{self.json(path)}.properties"

    def informed(self, folder: str, file: str) -> Iterator[dict[str, str]]:
        """The folders below `folder` that have an information file and nothing else."""
        for name in self.folders(folder):
            yield {"name": f"'{name}'", "properties": self.properties(f"{folder}/{name}/{file}")}

    def _take(self, path: str) -> str:
        if path not in self.left:
            raise LookupError(f"apim/{path} is missing")
        self.left.remove(path)
        return f"../../apim/{path}"


def _schemas(tree: _Tree) -> Iterator[dict[str, str]]:
    for file in tree.folders("schemas"):
        document = tree.json(f"schemas/{file}")
        yield {
            "name": f"'{file.removesuffix('.json')}'",
            "properties": _object(schemaType="'json'", document=document),
        }


def _fragments(tree: _Tree) -> Iterator[dict[str, str]]:
    for name in tree.folders("policy fragments"):
        folder = f"policy fragments/{name}"
        yield {
            "name": f"'{name}'",
            "properties": _object(
                tree.properties(f"{folder}/policyFragmentInformation.json"), value=tree.text(f"{folder}/policy.xml")
            ),
        }


def _apis(tree: _Tree) -> Iterator[dict[str, str]]:
    for name in tree.folders("apis"):
        folder = f"apis/{name}"
        operations = [
            {"name": f"'{operation}'", "policy": tree.text(f"{folder}/operations/{operation}/policy.xml")}
            for operation in tree.folders(f"{folder}/operations")
        ]
        yield {
            "name": f"'{name}'",
            "properties": _object(
                tree.properties(f"{folder}/apiInformation.json"),
                format="'openapi+json'",
                value=f"string({tree.json(f'{folder}/specification.json')})",
            ),
            "policy": tree.text(f"{folder}/policy.xml"),
            "operations": _list(operations, 2),
        }


def _products(tree: _Tree) -> Iterator[dict[str, str]]:
    for name in tree.folders("products"):
        folder = f"products/{name}"
        apis = [
            {"...": tree.json(f"{folder}/apis/{api}/productApiInformation.json"), "name": f"'{api}'"}
            for api in tree.folders(f"{folder}/apis")
        ]
        yield {
            "name": f"'{name}'",
            "properties": tree.properties(f"{folder}/productInformation.json"),
            "policy": tree.text(f"{folder}/policy.xml"),
            "apis": _list(apis, 2),
        }


def _object(*spread: str, **values: str) -> str:
    """The properties of a resource: those of information files, and what stands in a file of its own."""
    lines = [*(f"...{each}" for each in spread), *(f"{name}: {value}" for name, value in values.items())]
    return "{\n" + "".join(f"      {line}\n" for line in lines) + "    }"


def _list(entries: Iterable[dict[str, str]], depth: int = 0) -> str:
    """A Bicep array of objects whose values are expressions, indented as `bicep format` does."""
    indent = "  " * (depth + 1)
    objects = []
    for entry in entries:
        lines = "".join(f"{indent}  {name}{'' if name == '...' else ': '}{value}\n" for name, value in entry.items())
        objects.append(f"{indent}{{\n{lines}{indent}}}\n")
    return f"[\n{''.join(objects)}{'  ' * depth}]" if objects else "[]"
