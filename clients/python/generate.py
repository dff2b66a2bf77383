#!/usr/bin/env python3
"""Write what the package `carillon` takes from the rest of the tree: the messages of proto/ and the two tables.

    generate.py --source ROOT --protoc PROTOC --out FOLDER

FOLDER becomes a package that can be imported and installed: the files of clients/python with

    carillon/messages/*_pb2.py   from proto/*.proto, so that both sides speak the same schemas
    carillon/_tables.py          from the tables of errors (src/base/error.h) and of methods (src/wire/method.c)

The schemas import each other as "proto/x.proto"; as modules they have to live inside the package, or they would
claim the name `proto` for themselves.
"""

import argparse
import ast
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ERROR = r'X\((ERR_\w+),\s*(\d+),\s*(true|false),\s*(\d+),\s*(EXIT_\w+),\s*((?:"(?:[^"\\]|\\.)*"\s*)+)\)'
METHOD = r'ROW\((\w+),\s*"([\w.]+)",\s*(\w+),\s*[\w |]+,\s*(\d+),\s*(\w+),\s*(\w+),'
NUMBER = r"METHOD_(\w+) = (\d+);"

PACKAGE_FILES = ["pyproject.toml", "README.md"]


def fail(words):
    sys.exit(f"generate.py: {words}")


def read_errors(header):
    """The rows of ERROR_TABLE: (name, number, is retryable, HTTP status, exit code, text)."""
    exits = dict(re.findall(r"(EXIT_\w+) = (\d+)", header))
    table = header[header.index("#define ERROR_TABLE(X)"):].replace("\\\n", "\n")
    rows = [(name, int(number), retry == "true", int(http), int(exits[code]), ast.literal_eval("(" + text + ")"))
            for name, number, retry, http, code, text in re.findall(ERROR, table)]
    if len(rows) != table.count("X(ERR_") or [row[1] for row in rows] != list(range(1, len(rows) + 1)):
        fail("a row of the table of errors cannot be read")
    return rows


def camel(name):
    return "".join(part.capitalize() for part in name.split("_"))


def read_methods(registry, envelope):
    """The rows of the registry: (number, name, kind, deadline in ms, request, reply)."""
    numbers = {name: int(number) for name, number in re.findall(NUMBER, envelope)}
    table = registry[registry.index("methods[] = {"):]
    rows = [(numbers[word], name, kind, int(deadline), camel(request), camel(reply))
            for word, name, kind, deadline, request, reply in re.findall(METHOD, table)]
    if len(rows) != table.count("ROW(") or sorted(row[0] for row in rows) != list(range(1, len(rows) + 1)):
        fail("a row of the registry of methods cannot be read")
    return rows


def write_tables(source, path):
    errors = read_errors((source / "src/base/error.h").read_text(encoding="utf-8"))
    methods = read_methods((source / "src/wire/method.c").read_text(encoding="utf-8"),
                           (source / "proto/envelope.proto").read_text(encoding="utf-8"))
    lines = ['"""Written by generate.py from src/base/error.h and src/wire/method.c."""', "",
             "# name, number, retryable, HTTP status, exit code, text", "ERRORS = ("]
    lines += [f"    {row!r}," for row in errors]
    lines += [")", "", "# number, name, kind, deadline in ms, request, reply", "METHODS = ("]
    lines += [f"    {row!r}," for row in methods]
    lines += [")", ""]
    path.write_text("\n".join(lines), encoding="utf-8")


def write_messages(source, protoc, out):
    schemas = sorted((source / "proto").glob("*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        staged = pathlib.Path(folder) / "carillon/messages"
        staged.mkdir(parents=True)
        for schema in schemas:
            text = schema.read_text(encoding="utf-8")
            (staged / schema.name).write_text(text.replace('import "proto/', 'import "carillon/messages/'),
                                              encoding="utf-8")
        target = out / "carillon/messages"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        subprocess.run([protoc, f"--proto_path={folder}", f"--python_out={out}", f"--pyi_out={out}"]
                       + [f"carillon/messages/{schema.name}" for schema in schemas], check=True)
    modules = [f"{schema.stem}_pb2" for schema in schemas]
    (target / "__init__.py").write_text(
        '"""The messages of proto/, one module a schema."""\n\n'
        + "from . import " + ", ".join(modules) + "\n\n__all__ = " + repr(modules) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description="Complete the package carillon.")
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--protoc", required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    here = arguments.source / "clients/python"
    package = arguments.out / "carillon"
    shutil.rmtree(package, ignore_errors=True)
    package.mkdir(parents=True)
    for name in PACKAGE_FILES:
        shutil.copyfile(here / name, arguments.out / name)
    for path in sorted((here / "carillon").glob("*.py")) + [here / "carillon/py.typed"]:
        shutil.copyfile(path, package / path.name)
    write_messages(arguments.source, arguments.protoc, arguments.out)
    write_tables(arguments.source, package / "_tables.py")


if __name__ == "__main__":
    main()
