"""Writes the `forward` of an emitted class: nested calls, few names, loops over equal steps."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from cells.scopes import BlockClass, Piece, Structure

_DEEP = 3
"""Calls nested in one expression at the most."""
_LONG = 72
"""Characters of an expression that may still go into another."""


class _Expression(NamedTuple):
    text: str
    depth: int  # of nested calls
    names: frozenset[str]  # variables it reads


class _Writer:
    def __init__(self, structure: Structure, made: BlockClass) -> None:
        self.structure = structure
        scope = made.scopes[0]
        self.is_root = scope is structure.root
        self.pieces = structure.pieces(scope)
        self.returned = structure.writes(scope.nodes)
        self.lines: list[str] = []
        self.names: dict[int, str] = {}  # node -> variable that holds it
        self.pending: dict[int, _Expression] = {}  # node -> what will be written where it is read
        self.left: dict[int, int] = {}  # node -> reads still to come
        number = max(made.formals, default=0) + 1
        self.forms = ["x"] if number == 1 else [f"x{i}" for i in range(number)]
        self.names.update((-1 - i, name) for i, name in enumerate(self.forms))
        slots, inside = iter(made.formals), set(scope.nodes)
        for piece in self.pieces:
            # Argument i of `forward` is node -1 - i: one outside node may be read through two arguments.
            piece.reads = [i if i in inside else -1 - next(slots) for i in piece.reads]
            for source in piece.reads:
                self.left[source] = self.left.get(source, 0) + 1
        for source in self.returned:
            self.left[source] = self.left.get(source, 0) + 1

    def fresh(self) -> str:
        """A variable name that holds nothing which is still needed."""
        used = {name for node, name in self.names.items() if self.left.get(node)} | self.held()
        letters = [f"{c}" for c in "xyzabcdefghuvw"]
        return next(n for n in [*letters, *(f"t{i}" for i in range(len(used) + 1))] if n not in used)

    def held(self) -> set[str]:
        """The variables that pending expressions still read."""
        return {name for expression in self.pending.values() for name in expression.names}

    def text(self, source: int) -> str:
        """How a node is written where it is read."""
        return self.pending[source].text if source in self.pending else self.names[source]

    def take(self, source: int) -> _Expression:
        """How a node is read once."""
        self.left[source] -= 1
        if source in self.pending:
            return self.pending.pop(source)
        return _Expression(self.names[source], 0, frozenset([self.names[source]]))

    def expression(self, piece: Piece) -> _Expression:
        """The call of a piece on what it reads."""
        inputs = [self.take(source) for source in piece.reads]
        texts = [e.text for e in inputs]
        depth = max((e.depth for e in inputs), default=0)
        names = frozenset[str]().union(*(e.names for e in inputs))
        if isinstance(piece.what, int) and self.structure.call(piece.what) is None:
            text = self.structure.genome.nodes[piece.what].op.expression(*texts)
            return _Expression(text, depth, names)
        return _Expression(f"self.{piece.ref}({', '.join(texts)})", depth + 1, names)

    def step(self, piece: Piece) -> None:
        """Writes one piece, or leaves it to be nested in the next."""
        inner = [source for source in piece.reads if source in self.pending]
        several = len(inner) > 1 or len(piece.reads) > 2
        if several and sum(len(self.text(source)) + 2 for source in piece.reads) > _LONG - 8:
            self.settle(inner)
        expression = self.expression(piece)
        text, depth, names = expression
        alive = {name for node, name in self.names.items() if self.left.get(node)} | self.held()
        free = sorted(names - alive, key=text.index)
        if len(piece.writes) == 1:
            node = piece.writes[0]
            short = depth < _DEEP and len(text) < _LONG
            if self.left.get(node) == 1 and (short or node in self.returned):
                self.pending[node] = expression
                return
        targets: list[str] = []
        for node in piece.writes:
            self.names[node] = free[0] if len(piece.writes) == 1 and free else self.fresh()
            targets.append(self.names[node])
        self.lines.append(f"{', '.join(targets)} = {text}")

    def settle(self, sources: list[int]) -> None:
        """Writes out what is pending among the sources."""
        for source in sources:
            if source in self.pending:
                text = self.pending.pop(source).text
                self.names[source] = self.fresh()
                self.lines.append(f"{self.names[source]} = {text}")

    def run_length(self, start: int) -> int:
        """How many pieces from `start` are equal steps, each reading the newest values of the window."""
        first = self.pieces[start]
        window, end = first.reads, start
        for ahead, piece in enumerate(self.pieces[start:]):
            if piece.ref != _item(first.ref, ahead) or len(piece.writes) != 1 or piece.reads != window:
                break
            window, end = [*piece.reads[1:], piece.writes[0]], end + 1
        while end - start > 2 and not self._closed(start, end):
            end -= 1
        return end - start

    def _closed(self, start: int, end: int) -> bool:
        """Whether all that leaves the window of these steps is read by them alone."""
        steps = self.pieces[start:end]
        reads = [source for piece in steps for source in piece.reads]
        gone = [piece.writes[0] for piece in steps][: -len(steps[0].reads)]
        return all(self.left[node] == reads.count(node) for node in gone)

    def vacate(self, names: list[str], read: Counter[int]) -> None:
        """Gives other names to the values that are still needed after `read`, as a loop takes theirs."""
        self.settle([node for node, e in self.pending.items() if not e.names.isdisjoint(names)])
        for node, name in [*self.names.items()]:
            if name in names and self.left.get(node, 0) > read[node]:
                self.names[node] = self.fresh()
                self.lines.append(f"{self.names[node]} = {name}")

    def loop(self, start: int, steps: int) -> None:
        """Writes `for cell in self.cells: s0, s1 = s1, cell(s0, s1)`."""
        pieces = self.pieces[start : start + steps]
        first = pieces[0]
        self.settle(first.reads)
        width = len(first.reads)
        olds = [self.names[s] for s in first.reads]
        news = [f"s{i}" for i in range(width)]
        read = Counter(source for piece in pieces for source in piece.reads)
        if width > 1:
            self.vacate(news, read)
        self.left.update({source: self.left[source] - times for source, times in read.items()})
        if width == 1:
            news = [olds[0] if not self.left[first.reads[0]] else self.fresh()]
        if olds != news:
            value = f"{' = '.join(news)} = {olds[0]}"
            pairwise = f"{', '.join(news)} = {', '.join(olds)}"
            self.lines.append(value if len(set(olds)) == 1 else pairwise)
        container, _, index = first.ref.rpartition("[")
        begin = int(index[:-1])
        item = container.split(".")[-1].split("[")[0].rstrip("s") or "item"
        whole = begin == 0 and steps == sum(p.ref.rpartition("[")[0] == container for p in self.pieces)
        span = "" if whole else f"[{begin}:{begin + steps}]"
        call = f"{item}({', '.join(news)})"
        self.lines.append(f"for {item} in self.{container}{span}:")
        self.lines.append(
            f"    {', '.join(news)} = {', '.join(news[1:])}, {call}"
            if width > 1
            else f"    {news[0]} = {call}"
        )
        window = [*first.reads]
        for piece in pieces:
            window = [*window[1:], piece.writes[0]]
        for name, node in zip(news, window, strict=True):
            self.names[node] = name

    def write(self) -> list[str]:
        main = self.structure.main
        late = [p for p in self.pieces if self.is_root and not any(main[i] for i in p.nodes)]
        self.pieces = [p for p in self.pieces if p not in late]
        index = 0
        while index < len(self.pieces):
            steps = self.run_length(index) if self.pieces[index].ref.endswith("]") else 0
            if steps > 2:
                self.loop(index, steps)
                index += steps
            else:
                self.step(self.pieces[index])
                index += 1
        output = self.structure.genome.output
        if not late:
            target, _, value = self.lines[-1].partition(" = ") if self.lines else ("", "", "")
            if [self.names.get(node) for node in self.returned] == [target]:
                self.lines[-1] = f"return {value}"
            else:
                self.lines.append("return " + ", ".join(self.take(node).text for node in self.returned))
            return self.lines
        self.settle([output])
        result = self.take(output).text
        kept, self.lines = self.lines, []
        for piece in late:
            self.step(piece)
        extra = [self.take(node).text for node in self.structure.genome.aux]
        inner = [*self.lines, f"return {', '.join([result, *extra])}"]
        return [*kept, "if self.training:", *("    " + line for line in inner), f"return {result}"]


def _item(ref: str, ahead: int) -> str:
    head, _, index = ref.rpartition("[")
    return f"{head}[{int(index[:-1]) + ahead}]"


def forward_lines(structure: Structure, made: BlockClass) -> tuple[list[str], list[str]]:
    """The arguments of a class's `forward`, and its lines."""
    writer = _Writer(structure, made)
    return writer.forms, writer.write()
