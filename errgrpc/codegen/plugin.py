"""protoc-gen-errgrpc, the plugin that generates a Python module for each catalogue.

protoc starts it by `--errgrpc_out=DIR`, and buf by `local: protoc-gen-errgrpc`.
"""

import sys
from collections.abc import Iterator, Sequence

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse
from google.protobuf.descriptor_pb2 import Edition
from google.protobuf.message import DecodeError

from errgrpc.codegen import render, rules, schema, services

__all__ = ["generate", "main", "notes", "run"]

_NAME = "protoc-gen-errgrpc"


def generate(request: CodeGeneratorRequest) -> CodeGeneratorResponse:
    """Generates a Python module for each requested file.

    A file gets a module if it has annotated enums, or services that declare their errors. If
    anything is refused, the response has only `error`, with one refusal a line.
    """
    files = {schema.utf8(file.name): file for file in request.proto_file}
    asked = [
        name for name in dict.fromkeys(map(schema.utf8, request.file_to_generate)) if name in files
    ]
    catalogs = {name: schema.read(file) for name, file in files.items()}
    every = {catalog.full_name: catalog for found in catalogs.values() for catalog in found}
    known = [extension for file in files.values() for extension in services.extensions(file)]
    declared = {name: services.read(files[name], known, every) for name in asked}
    wanted = [
        name
        for name in asked
        if catalogs[name] or any(service.declares for service in declared[name])
    ]
    # An imported catalogue whose codes a service declares is checked, too: RAISES would share its
    # mistakes.
    used = {
        each.option.type_name
        for found in declared.values()
        for service in found
        for _, each in service.every()
    }
    judged, imported = list[schema.Catalog](), list[schema.Catalog]()
    for catalog in (catalog for found in catalogs.values() for catalog in found):
        (judged if catalog.file in wanted or catalog.full_name in used else imported).append(
            catalog
        )
    refusals = [
        *_unknown_options(schema.utf8(request.parameter)),
        *_same_outputs(wanted),
        *rules.refusals(judged, imported),
        *rules.refusals_of_services(
            [service for found in declared.values() for service in found], known, every, asked
        ),
    ]
    response = CodeGeneratorResponse(
        supported_features=CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL
        | CodeGeneratorResponse.FEATURE_SUPPORTS_EDITIONS,
        minimum_edition=Edition.EDITION_PROTO2,
        maximum_edition=Edition.EDITION_2024,
    )
    if refusals:
        response.error = "\n".join(map(str, refusals))
        return response
    for name in wanted:
        response.file.add(
            name=render.output(name),
            content=render.render(name, catalogs[name], declared[name], every),
        )
    return response


def notes(request: CodeGeneratorRequest) -> list[str]:
    """Returns notes for the user about accepted files, one a line."""
    asked = set(request.file_to_generate)
    catalogs = [catalog for file in request.proto_file for catalog in schema.read(file)]
    known = [
        extension
        for file in request.proto_file
        for extension in services.extensions(file)
        if extension.file in asked
    ]
    found = rules.notes(
        [catalog for catalog in catalogs if catalog.file in asked],
        known,
        {catalog.full_name for catalog in catalogs},
    )
    return list(map(str, found))


def _unknown_options(parameter: str) -> Iterator[rules.Refusal]:
    for option in filter(None, (option.strip() for option in parameter.split(","))):
        yield rules.Refusal(_NAME, 0, option, "is an unknown option; this plugin takes none")


def _same_outputs(names: Sequence[str]) -> Iterator[rules.Refusal]:
    outputs = dict[str, str]()
    for name in names:
        if (first := outputs.setdefault(render.output(name), name)) != name:
            yield rules.Refusal(
                name,
                0,
                render.output(name),
                f"is also the module of {first}; rename one of the two files",
            )


def run(request: bytes) -> bytes:
    """Answers a serialized request with a serialized response.

    Raises ValueError if the bytes are not a CodeGeneratorRequest.
    """
    try:
        return generate(CodeGeneratorRequest.FromString(request)).SerializeToString(
            deterministic=True
        )
    except DecodeError as error:
        raise ValueError(
            f"standard input is no CodeGeneratorRequest of protoc or buf ({error})"
        ) from error


def main() -> None:
    """Runs the plugin from standard input to standard output, with notes on standard error.

    If it fails, it exits with 1 and prints a line on standard error.
    """
    if sys.argv[1:] or sys.stdin.isatty():
        sys.exit(
            f"{_NAME} is a plugin of protoc and buf and takes no arguments: "
            "protoc --errgrpc_out=DIR FILE.proto"
        )
    request = sys.stdin.buffer.read()
    try:
        answer = run(request)
        sys.stdout.buffer.write(answer)
        for note in (
            ()
            if CodeGeneratorResponse.FromString(answer).error
            else notes(CodeGeneratorRequest.FromString(request))
        ):
            print(f"{_NAME}: note: {note}", file=sys.stderr)
    except ValueError as error:
        sys.exit(f"{_NAME}: {error}")


if __name__ == "__main__":
    main()
