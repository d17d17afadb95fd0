"""A plugin for buf that makes grpcio's stubs: grpcio-tools has the generator, but not as a plugin."""

import sys
import tempfile
from pathlib import Path

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc

request = CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
response = CodeGeneratorResponse(supported_features=CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL)
with tempfile.TemporaryDirectory() as folder:
    descriptors, out = Path(folder, "descriptors"), Path(folder, "out")
    descriptors.write_bytes(FileDescriptorSet(file=request.proto_file).SerializeToString())
    out.mkdir()
    arguments = [f"--descriptor_set_in={descriptors}", f"--grpc_python_out={out}", *request.file_to_generate]
    if protoc.main(["protoc", *arguments]):
        response.error = "grpcio-tools failed; its message is on standard error"
    for file in sorted(out.rglob("*.py")):
        response.file.add(name=str(file.relative_to(out)), content=file.read_text(encoding="utf-8"))
sys.stdout.buffer.write(response.SerializeToString())
