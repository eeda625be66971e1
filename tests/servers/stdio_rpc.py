"""JSON-RPC over stdio by hand: just enough of both MCP eras for a tool server of the tests.

`ERA` in the environment: `both` (default) answers `server/discover` of 2026-07-28 and `initialize`
of 2025-11-25, `legacy` only the second.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Arguments = dict[str, Any]


class ToolFailed(Exception):
    """The tool's own failure: it reaches the client as `isError` with this text."""


@dataclass
class Call:
    """What a tool is given besides its arguments."""

    id: int | str
    arguments: Arguments
    meta: dict[str, Any]
    answers: dict[str, Any] = field(default_factory=dict[str, Any])
    """What the client answered to the questions of an earlier round (2026-07-28)."""
    cancelled: threading.Event = field(default_factory=threading.Event)


@dataclass
class Tool:
    """One tool: what `tools/list` says of it, and what it does."""

    listing: dict[str, Any]
    run: Callable[[Call], Any]


def structured(value: Any) -> dict[str, Any]:
    """A result with structured content and the same as text."""
    text = json.dumps(value)
    return {"content": [{"type": "text", "text": text}], "structuredContent": value}


class ToolServer:
    """Reads requests from stdin and answers each on stdout; `tools/call` runs in a thread."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.tools: dict[str, Tool] = {}
        self.modern = os.environ.get("ERA", "both") != "legacy"
        self.cancelled = 0
        """Calls that the client has cancelled."""
        self.writing = threading.Lock()
        self._calls: dict[str, Call] = {}
        self._listening: list[Any] = []
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()

    def tool(self, name: str, run: Callable[[Call], Any], **listing: Any) -> None:
        """Offer a tool. What `run` gives back is structured content, or a whole result if raw."""
        described: dict[str, Any] = {"name": name, "inputSchema": {"type": "object"}} | listing
        self.tools[name] = Tool(described, run)

    def send(self, message: dict[str, Any]) -> None:
        self.send_raw(json.dumps({"jsonrpc": "2.0"} | message))

    def send_raw(self, line: str) -> None:
        """Write one line as it is, in whole."""
        with self.writing:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()

    def answer(self, request: dict[str, Any], result: dict[str, Any]) -> None:
        about = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
        self.send({"id": request["id"], "result": (about if self.modern else {}) | result})

    def request(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Ask the client something (2025-11-25), and wait for its answer."""
        self.send({"id": "ours", "method": method, "params": params})
        answer = self._answers.get(timeout=5)
        return {name: answer[name] for name in ("result", "error") if name in answer}

    def progress(self, call: Call, done: float, **told: Any) -> None:
        """Tell how far the call is, if its client wants to know."""
        token = call.meta.get("progressToken")
        if token is not None:
            params = {"progressToken": token, "progress": done} | told
            self.send({"method": "notifications/progress", "params": params})

    def tools_changed(self) -> None:
        """Tell it in the words of both eras."""
        for listener in self._listening:
            meta = {"io.modelcontextprotocol/subscriptionId": listener}
            self.send({"method": "notifications/tools/list_changed", "params": {"_meta": meta}})
        if not self._listening:
            self.send({"method": "notifications/tools/list_changed"})

    def serve(self) -> None:
        """Answer until stdin ends."""
        for line in sys.stdin:
            message = json.loads(line)
            if "id" in message and "method" in message:
                self.on_request(message)
            elif message.get("method") == "notifications/cancelled":
                call = self._calls.get(str(message["params"]["requestId"]))
                if call is not None:
                    self.cancelled += 1
                    call.cancelled.set()
            elif "id" in message:
                self._answers.put(message)

    def on_request(self, request: dict[str, Any]) -> None:
        match request["method"]:
            case "server/discover" if self.modern:
                self.answer(request, self.discovered())
            case "initialize":
                self.modern = False
                self.answer(request, self.initialized())
            case "tools/list":
                self.answer(request, self.listed(request.get("params", {})))
            case "tools/call":
                threading.Thread(target=self._run, args=(request,), daemon=True).start()
            case "subscriptions/listen" if self.modern:
                self._listen(request)
            case "ping":
                self.answer(request, {})
            case method:
                self.refuse(request, -32601, f"Method not found: {method}")

    def refuse(self, request: dict[str, Any], code: int, message: str) -> None:
        self.send({"id": request["id"], "error": {"code": code, "message": message}})

    def discovered(self) -> dict[str, Any]:
        capabilities = {"tools": {"listChanged": True}}
        return {"supportedVersions": ["2026-07-28"], "capabilities": capabilities}

    def initialized(self) -> dict[str, Any]:
        return {
            "protocolVersion": "2025-11-25",
            "capabilities": {"tools": {"listChanged": True}},
            "serverInfo": {"name": self.name, "version": "1"},
        }

    def listed(self, params: dict[str, Any]) -> dict[str, Any]:
        del params
        return {"tools": [tool.listing for tool in self.tools.values()]}

    def _listen(self, request: dict[str, Any]) -> None:
        self._listening.append(request["id"])
        meta = {"io.modelcontextprotocol/subscriptionId": request["id"]}
        params = {"notifications": {"toolsListChanged": True}, "_meta": meta}
        self.send({"method": "notifications/subscriptions/acknowledged", "params": params})

    def _run(self, request: dict[str, Any]) -> None:
        params = request["params"]
        tool = self.tools.get(params["name"])
        if tool is None:
            self.refuse(request, -32602, f"Unknown tool: {params['name']}")
            return
        call = Call(request["id"], params.get("arguments") or {}, params.get("_meta") or {})
        call.answers = params.get("inputResponses") or {}
        self._calls[str(request["id"])] = call
        try:
            result = tool.run(call)
        except ToolFailed as failure:
            content = [{"type": "text", "text": str(failure)}]
            self.answer(request, {"content": content, "isError": True})
        else:
            if result is not None:
                self.answer(request, result if "content" in result else structured(result))
