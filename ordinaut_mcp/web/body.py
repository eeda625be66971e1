"""Bodies of answers, read up to a bound that counts what they unpack to."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable, Mapping
from typing import Final

ENCODING: Final = "gzip, deflate"
_ANY_HEADER: Final = 32 + zlib.MAX_WBITS
"""gzip and zlib, told apart by their first bytes."""


class BodyTooLarge(Exception):
    """It is longer than the bound, packed or unpacked."""


class BodyUnreadable(Exception):
    """It is packed in a way that was not offered, or not as it says."""


async def read_body(
    chunks: AsyncIterable[bytes], headers: Mapping[str, str], *, most: int
) -> bytes:
    """The unpacked body of at most `most` bytes; never is much more than that unpacked.

    Raises:
        BodyTooLarge, BodyUnreadable: reading ended where it was found out.
    """
    length = headers.get("content-length", "")
    if length.isdigit() and int(length[:20]) > most:
        raise BodyTooLarge
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding in {"", "identity"}:
        unpack = _Plain()
    elif encoding in {"gzip", "x-gzip", "deflate"}:
        unpack = _Packed()
    else:
        raise BodyUnreadable(f"the content-encoding {encoding[:40]!r} was not asked for")
    body = bytearray()
    async for chunk in chunks:
        body += unpack.take(chunk, most + 1 - len(body))
        if len(body) > most:
            raise BodyTooLarge
    unpack.end()
    return bytes(body)


class _Plain:
    def take(self, chunk: bytes, most: int) -> bytes:
        return chunk[:most]

    def end(self) -> None:
        """Nothing is left over."""


class _Packed:
    """Members of gzip may follow one another (RFC 1952 §2.2)."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_ANY_HEADER)
        self._is_empty = True

    def take(self, chunk: bytes, most: int) -> bytes:
        found = bytearray()
        try:
            while chunk and len(found) < most:
                if self._stream.eof:
                    self._stream = zlib.decompressobj(_ANY_HEADER)
                self._is_empty = False
                found += self._stream.decompress(chunk, most - len(found))
                chunk = self._stream.unconsumed_tail or self._stream.unused_data
        except zlib.error as error:
            raise BodyUnreadable("it is not packed as it says") from error
        return bytes(found)

    def end(self) -> None:
        if not (self._stream.eof or self._is_empty):
            raise BodyUnreadable("it ends in the middle")
