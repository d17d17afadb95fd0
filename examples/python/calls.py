"""What a client in Python does besides calling: it loads the generated code, sends the token, retries where that is safe, and reads
why a call was refused. quickstart.py and smallest.py use it.

`buf generate --template examples/python/buf.gen.yaml --output examples/python` makes the generated code, in the folder gen beside this
file.
"""

import sys
import time
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import grpc
from google.rpc import error_details_pb2 as details_pb
from google.rpc import status_pb2 as status_pb

HERE = Path(__file__).resolve().parent
PROTO = HERE.parents[1] / "proto"
SECONDS = 10  # for one call
TRIES = 3


def generated():
    """All names of the contract in one place, as other languages have them: in Python each file of it is a module."""
    sys.path.append(str(HERE / "gen"))
    names = sorted(file.stem for file in PROTO.glob("clientele/v1/*.proto"))
    try:
        modules = [import_module(f"clientele.v1.{name}_pb2") for name in names]
        modules += [import_module(f"clientele.v1.{name}_pb2_grpc") for name in names if name.endswith("_service")]
    except ModuleNotFoundError as error:
        raise SystemExit(f"{error}: generate the code first, see examples/README.md") from error
    return SimpleNamespace(**{name: value for module in modules for name, value in vars(module).items()})


v1 = generated()


def connect(address):
    """A channel with the config that ships with the protos: timeouts for all RPCs, retries for reads."""
    config = (PROTO / "clientele/v1/service_config.json").read_text(encoding="utf-8")
    return grpc.insecure_channel(address, options=[("grpc.service_config", config)])


def run(walk):
    """Runs a program: the walk of a caller that the command line names by its address and token."""
    if len(sys.argv) != 3:
        raise SystemExit(f"usage: {Path(sys.argv[0]).name} ADDRESS TOKEN")
    address, token = sys.argv[1:]
    with connect(address) as channel:
        walk(channel, Caller(token))


def detail(error, kind):
    """The detail of this kind that the server sent with an error, or None."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            for packed in status_pb.Status.FromString(value).details:
                found = kind()
                if packed.Unpack(found):
                    return found
    return None


class Caller:
    """Calls with a token."""

    def __init__(self, token):
        self.metadata = [("authorization", f"Bearer {token}")]

    def __call__(self, method, request):
        """Calls, and retries where that is safe: if the server says so with a RetryInfo; or, for a call with a request_id,
        if no answer came, because such a call takes effect only once."""
        for tries_left in reversed(range(TRIES)):
            try:
                return method(request, metadata=self.metadata, timeout=SECONDS)
            except grpc.RpcError as error:
                wait = detail(error, details_pb.RetryInfo)
                unanswered = error.code() == grpc.StatusCode.UNAVAILABLE and getattr(request, "request_id", "")
                if not tries_left or not (wait or unanswered):
                    raise
                time.sleep(wait.retry_delay.ToTimedelta().total_seconds() if wait else 0.2)


def refusal(call, method, request):
    """Why the server refuses the call: its ErrorInfo, and the fields that its BadRequest lists."""
    try:
        call(method, request)
    except grpc.RpcError as error:
        info = detail(error, details_pb.ErrorInfo)
        if info is None:
            raise  # not an answer of the service; perhaps there is no connection
        bad = detail(error, details_pb.BadRequest) or details_pb.BadRequest()
        return info, [violation.field for violation in bad.field_violations]
    raise AssertionError("it should have been refused")
