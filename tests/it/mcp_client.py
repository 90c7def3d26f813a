"""Calls the tools of `kiln mcp` by the Python SDK of the Model Context Protocol: client.py MODE COMMAND ARGUMENT…, and prints
the results as JSON."""
import asyncio
import base64
import json
import os
import sys

from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

CALLS = [
    ("layers", {}),
    ("layers", {"search": "quake"}),
    ("render", {"layer": "cities", "bounds": [0, 45, 20, 60], "size": 300, "scheme": "fire", "radius": "20km"}),
    ("render", {"layer": "earthquakes", "bounds": "world", "size": "320x200", "background": "transparent"}),
    ("value", {"layer": "cities", "lon": 18.07, "lat": 59.33, "zoom": 6}),
    ("statistics", {"layer": "earthquakes", "zoom": 2}),
    ("render", {"layer": "citys"}),
    ("render", {"layer": "cities", "bounds": [0, 95, 20, 100]}),
    ("render", {"layer": "cities", "bounds": "elsewhere"}),
    ("render", {"layer": "cities", "size": 1000000}),
    ("render", {"layer": "cities", "size": "30000x30000"}),
    ("render", {"layer": "cities", "radius": "wide"}),
    ("render", {"layer": "cities", "colour": "red"}),
    ("value", {"layer": "cities", "lon": 18.07, "lat": 95}),
    ("value", {"layer": "cities", "lat": 59}),
    ("statistics", {"layer": "cities", "hours": "7-9"}),
    ("render", {"layer": "earthquakes", "bounds": [10, 40, 20, 45], "size": "600x200"}),
    ("render", {"layer": "earthquakes", "end": "1900-01-01", "size": 100}),
    ("value", {"layer": "cities", "lon": -150, "lat": 0}),
]


def described(result):
    """The text and the structured content of a result, and the bytes of its picture."""
    picture = [item for item in result.content if item.type == "image"]
    return {
        "is_error": result.is_error,
        "text": result.content[0].text,
        "value": result.structured_content,
        "png": base64.b64decode(picture[0].data).hex() if picture else None,
        "type": picture[0].mime_type if picture else None,
    }


async def main():
    mode, command, *arguments = sys.argv[1:]
    token = {"KILN_TOKEN": os.environ["KILN_TOKEN"]} if "KILN_TOKEN" in os.environ else {}
    server = stdio_client(StdioServerParameters(command=command, args=arguments, env=token))
    async with Client(server, mode=mode) as client:
        tools = (await client.list_tools()).tools
        results = [described(await client.call_tool(name, given)) for name, given in CALLS]
        try:
            await client.call_tool("drop", {})
            unknown = None
        except Exception as error:
            unknown = str(error)
        print(json.dumps({
            "version": client.protocol_version,
            "server": client.server_info.name,
            "tools": [tool.name for tool in tools],
            "schemas": [tool.input_schema for tool in tools],
            "results": results,
            "unknown": unknown,
        }))


asyncio.run(main())
