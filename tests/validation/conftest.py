"""Messages of rooms.proto, compiled by protoc."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import protovalidate
import pytest
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorSet


@pytest.fixture(scope="session")
def rooms(fresh_with_protoc: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The classes of rooms.proto by name."""
    folder = tmp_path_factory.mktemp("rooms")
    # from the library's own descriptor, as its wheel has no .proto file
    rules = FileDescriptorSet()
    rules.file.add().MergeFromString(protovalidate.ViolationPb.desc().file.proto.to_binary())
    (folder / "rules.binpb").write_bytes(rules.SerializeToString())
    for proto in Path(__file__).parent.glob("*.proto"):
        (folder / proto.name).write_text(proto.read_text())
    protoc = (
        "python",
        "-m",
        "grpc_tools.protoc",
        "-I.",
        "--descriptor_set_in=rules.binpb",
        "--descriptor_set_out=rooms.binpb",
    )
    fresh_with_protoc.run(*protoc, "--include_imports", "rooms.proto", cwd=folder)
    pool = descriptor_pool.DescriptorPool()
    files = FileDescriptorSet.FromString((folder / "rooms.binpb").read_bytes()).file
    for file in files:
        pool.AddSerializedFile(file.SerializeToString())
    names = [message.name for message in files[-1].message_type]
    return SimpleNamespace(
        **{
            name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"rooms.v1.{name}"))
            for name in names
        }
    )
