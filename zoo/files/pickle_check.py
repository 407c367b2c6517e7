"""Checks a pickle's opcodes before it is loaded: none may request more than the file holds."""

from __future__ import annotations

import pickletools

from zoo.files.errors import FileFormatError

DEEPEST = 1000  # levels of nested objects: C hashes and frees them recursively
_OPCODES = {opcode.code.encode("latin1"): opcode for opcode in pickletools.opcodes}
_WIDTHS = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
_PUTS, _GETS = ("PUT", "BINPUT", "LONG_BINPUT"), ("GET", "BINGET", "LONG_BINGET")
_FILLS = ("APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS", "BUILD")
_MARK = -1  # a mark on the stack, instead of an object's depth


def check_pickle(data: bytes | memoryview, file: object) -> int:
    """Refuse a pickle that is truncated, or that requests memory which it does not fill.

    Args:
        data: Bytes that begin with a pickle.
        file: The name of the file in error messages.

    Returns:
        The pickle's length in bytes.

    Raises:
        FileFormatError: the pickle is incomplete, uses memo indices larger than it can have, or
            nests objects too deeply.
    """
    view, at, depths = memoryview(data), 0, _Depths(file)
    while True:
        code = bytes(view[at : at + 1])
        opcode = _OPCODES.get(code)
        if opcode is None:
            raise _damaged(file, f"instruction {code!r}" if code else "it is truncated")
        start, end = at + 1, _end(view, at + 1, opcode, file)
        number = 0
        if opcode.name in _PUTS or opcode.name in _GETS:
            text = bytes(view[start:end])
            number = _decimal(text, file) if end and opcode.code in "pg" else _integer(text)
            if number > end:  # the memo is allocated up to the largest index
                raise _damaged(file, f"it remembers {number} objects within {end} bytes")
        depths.step(opcode, number)
        at = end
        if code == b".":
            return at


def _end(view: memoryview, at: int, opcode, file: object) -> int:
    """Offset at which an opcode's argument ends."""
    if opcode.arg is None:
        return at
    if opcode.arg.n >= 0:
        at += opcode.arg.n
    elif opcode.arg.n == pickletools.UP_TO_NEWLINE:
        for _ in range(2 if opcode.code in "ci" else 1):
            at = _after_newline(view, at, file)
    else:
        width = _WIDTHS[opcode.arg.n]
        at += width + _integer(bytes(view[at : at + width]))
    if at > len(view):
        raise _damaged(file, "it is truncated")
    return at


def _integer(text: bytes) -> int:
    return int.from_bytes(text, "little")


def _decimal(text: bytes, file: object) -> int:
    if not text.strip().isdigit() or len(text) > 12:
        raise _damaged(file, f"the number {text[:20]!r}")
    return int(text)


def _after_newline(view: memoryview, at: int, file: object) -> int:
    while at < len(view):
        found = bytes(view[at : at + 4096]).find(b"\n")
        if found >= 0:
            return at + found + 1
        at += 4096
    raise _damaged(file, "it is truncated")


class _Depths:
    """Tracks the nesting depth of the objects on the pickle's stack."""

    def __init__(self, file: object):
        self.file = file
        self.stack: list[int] = []
        self.memo: dict[int, int] = {}

    def step(self, opcode, number: int) -> None:
        name, stack = opcode.name, self.stack
        if name == "MARK":
            stack.append(_MARK)
        elif name in _PUTS or name == "MEMOIZE":
            self.memo[number if name in _PUTS else len(self.memo)] = stack[-1] if stack else 0
        elif name in _GETS:
            stack.append(self.memo.get(number, 0))
        elif name == "DUP":
            stack.append(stack[-1] if stack else 0)
        elif name == "POP":
            del stack[-1:]
        else:
            self._replace(opcode)

    def _replace(self, opcode) -> None:
        before, stack = opcode.stack_before, self.stack
        if pickletools.markobject in before:
            place = next((i for i in range(len(stack) - 1, -1, -1) if stack[i] == _MARK), 0)
            taken = stack[place + 1 :]
            del stack[place:]
            more = before.index(pickletools.markobject)  # operands below the mark
            below = stack[len(stack) - more :] if more else []
            del stack[len(stack) - more :]
        else:
            count = len(before)
            taken = stack[len(stack) - count :] if count else []
            del stack[len(stack) - count :]
            below = []
        if opcode.name in _FILLS and not below:
            below, taken = taken[:1], taken[1:]
        depth = max(max(below, default=0), max(taken, default=-1) + 1)
        if depth > DEEPEST:
            raise _damaged(self.file, f"more than {DEEPEST} nested objects")
        stack.extend([depth] * len(opcode.stack_after))


def _damaged(file: object, why: str) -> FileFormatError:
    return FileFormatError(
        f"A pickle must be complete and contain what it declares. Received: {file}: {why}"
    )
