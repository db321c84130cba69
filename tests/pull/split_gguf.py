"""Cuts a GGUF file into parts as its tools do: metadata in the first, tensors spread over all."""

import struct

SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
STRING, ARRAY, U16, I32 = 8, 9, 2, 5


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self, form):
        value, = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize(form)
        return value

    def text(self):
        length = self.number("Q")
        self.at += length
        return self.data[self.at - length:self.at]

    def skip_value(self, kind):
        if kind == STRING:
            self.text()
        elif kind == ARRAY:
            element, count = self.number("I"), self.number("Q")
            for _ in range(count):
                self.skip_value(element)
        else:
            self.at += SIZES[kind]


def _string(text):
    return struct.pack("<Q", len(text)) + text


def _padded(data, alignment=32):
    return data + b"\0" * (-len(data) % alignment)


def split(data, count):
    """The parts' bytes; the file must have the usual alignment."""
    reader = Reader(data)
    magic, version = reader.number("I"), reader.number("I")
    tensors, keys = reader.number("Q"), reader.number("Q")
    begin = reader.at
    for _ in range(keys):
        reader.text()
        reader.skip_value(reader.number("I"))
    metadata = data[begin:reader.at]
    infos = []
    for _ in range(tensors):
        name = reader.text()
        shape = [reader.number("Q") for _ in range(reader.number("I"))]
        infos.append([name, shape, reader.number("I"), reader.number("Q")])
    base = len(_padded(data[:reader.at]))
    ends = sorted(info[3] for info in infos) + [len(data) - base]
    parts = []
    for index in range(count):
        own = infos[index * tensors // count:(index + 1) * tensors // count]
        heads, body = b"", b""
        for name, shape, kind, offset in own:
            end = next(e for e in ends if e > offset)
            heads += _string(name) + struct.pack("<I", len(shape))
            heads += b"".join(struct.pack("<Q", length) for length in shape)
            heads += struct.pack("<IQ", kind, len(body))
            body = _padded(body + data[base + offset:base + end])
        own_keys = ((b"split.no", "<IH", U16, index), (b"split.count", "<IH", U16, count),
                    (b"split.tensors.count", "<Ii", I32, tensors))
        extra = b"".join(_string(key) + struct.pack(form, kind, value)
                         for key, form, kind, value in own_keys)
        kept = keys if index == 0 else 0
        head = struct.pack("<IIQQ", magic, version, len(own), kept + 3)
        parts.append(_padded(head + (metadata if kept else b"") + extra + heads) + body)
    return parts
