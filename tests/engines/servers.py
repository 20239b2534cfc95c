"""
Servers that do what servers do on bad days: real ones, on a free port of this machine, in a thread.

In: what each request is to get, one after another, the last of them from then on. Out: an address, and what was asked:

    with serving(fault(500), answer("네")) as server:      first a fault, then the answer, whoever asks
        server.address                                     http://127.0.0.1:43817/v1
        server.asked                                       [{"messages": […], …}, {"messages": […], …}]
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from hanpuri.engines.openai import OpenAIEngine
from hanpuri.engines.opening import open_engine
from hanpuri.engines.settings import parse_engine

Body = dict[str, object]
Act = Callable[[BaseHTTPRequestHandler, Body], None]
HTML = b"<html><head><title>502 Bad Gateway</title></head></html>"
QUICK = "server.max_wait_seconds=0.1,server.max_tries=3"
MODELS = [{"id": "tiny", "object": "model", "owned_by": "somebody"}]


class Server:
    """One server, and what it was asked."""

    def __init__(self, acts: tuple[Act, ...], models: object) -> None:
        self.acts, self.models = list(acts), models
        self.asked: list[Body] = []
        self.keys: list[str | None] = []
        self.num_looks = 0
        self.num_now = self.most_at_once = 0
        self.num_hung_up = 0
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.http.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.http.server_port}/v1"

    def next_act(self, body: Body) -> Act:
        with self.lock:
            self.asked.append(body)
            return self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            owner = server

            def do_GET(self) -> None:
                server.num_looks += 1
                server.keys.append(self.headers.get("authorization"))
                if callable(server.models):
                    server.models(self, {})
                else:
                    send(self, 200, {"object": "list", "data": server.models})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                server.keys.append(self.headers.get("authorization"))
                with server.lock:
                    server.num_now += 1
                    server.most_at_once = max(server.most_at_once, server.num_now)
                try:
                    server.next_act(body)(self, body)
                except (BrokenPipeError, ConnectionResetError):
                    server.num_hung_up += 1
                    self.close_connection = True
                finally:
                    with server.lock:
                        server.num_now -= 1

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@contextmanager
def serving(*acts: Act, models: object = MODELS) -> Iterator[Server]:
    """Serve until the end of the `with`."""
    server = Server(acts or (answer("네"),), models)
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.http.shutdown()
        thread.join()
        server.http.server_close()


def send(handler: BaseHTTPRequestHandler, status: int, body: object, **headers: str) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    handler.send_response(status)
    kind = "application/json" if not content.startswith(b"<") else "text/html"
    for name, value in {"content-type": kind, "content-length": str(len(content)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(content)


def completion(text: object, finish: object = "stop", **more: object) -> Body:
    """An answer in the form that servers give it."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **more}, "text": text}
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    return {"object": "chat.completion", "choices": [{**choice, "finish_reason": finish}], "usage": usage}


def answer(text: object, finish: object = "stop", **more: object) -> Act:
    """Answer with a text."""
    return lambda handler, body: send(handler, 200, completion(text, finish, **more))


def echo(handler: BaseHTTPRequestHandler, body: Body) -> None:
    """Answer with the last message, or with the prompt."""
    text = body["messages"][-1]["content"] if "messages" in body else body["prompt"]
    send(handler, 200, completion(text))


def fault(status: int, body: object = b"", **headers: str) -> Act:
    """Answer with a fault."""
    return lambda handler, _: send(handler, status, body, **headers)


def reply(body: object) -> Act:
    """Answer with the status of success, and whatever this is."""
    return lambda handler, _: send(handler, 200, body)


def hang_up(handler: BaseHTTPRequestHandler, body: Body) -> None:
    """Promise more than comes."""
    handler.send_response(200)
    handler.send_header("content-type", "application/json")
    handler.send_header("content-length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [{"mess')
    handler.close_connection = True


def wait(handler: BaseHTTPRequestHandler, body: Body) -> None:
    """Answer nothing until the test is over."""
    handler.owner.over.wait(30)
    handler.close_connection = True


def slow(seconds: float, then: Act) -> Act:
    """Answer after a while."""

    def act(handler: BaseHTTPRequestHandler, body: Body) -> None:
        handler.owner.over.wait(seconds)
        then(handler, body)

    return act


def stream(*chunks: bytes) -> Act:
    """Send these bytes, one write after another, and close."""

    def act(handler: BaseHTTPRequestHandler, body: Body) -> None:
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.send_header("connection", "close")
        handler.end_headers()
        for chunk in chunks:
            with suppress(BrokenPipeError):
                handler.wfile.write(chunk)
                handler.wfile.flush()
            handler.owner.over.wait(0.002)
        handler.close_connection = True

    return act


def event(text: str | None = None, finish: str | None = None, *, ascii: bool = False) -> bytes:
    """One event of a stream."""
    delta = {} if text is None else {"content": text}
    told = {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return b"data: " + json.dumps(told, ensure_ascii=ascii).encode(errors="surrogatepass") + b"\n\n"


DONE = b"data: [DONE]\n\n"


def opened(server: Server, options: str = "", model: str = "#tiny") -> AbstractContextManager[OpenAIEngine]:
    """Open an engine that asks this server, and waits little between two tries."""
    return open_engine(parse_engine(f"openai:{server.address}{model},{QUICK}" + (f",{options}" if options else "")))


def ask(question: str) -> dict[str, str]:
    """Write a question as a row."""
    return {"instruction": question, "input": ""}


def rows_of(number: int) -> list[dict[str, str]]:
    """Write so many rows."""
    return [ask(f"{place}번 방은 어떤가요?") for place in range(number)]
