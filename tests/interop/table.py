"""The table that both matrices print: rows, a column for each peer, under it a few sub-columns."""
import sys
import threading


class Table:
    """Cells by (row, peer, role): 'ok', 'n.a.', 'FAIL' or '-' (left to a longer run), with what there is to say of it.
    A row and a peer have a name; letters are the heads of the roles, title that of the rows, what
    stands before a role in a sentence. progress: how many cells there will be, of which standard error shall hear."""

    def __init__(self, peers, roles, letters, title, what):
        self.peers, self.roles, self.letters, self.title, self.what = peers, roles, letters, title, what
        self.cells, self.lock, self.reasons, self.progress = {}, threading.Lock(), {}, 0

    def put(self, row, peer, role, mark, why=''):
        with self.lock:
            self.cells[row, peer, role] = (mark, why)
            if mark == 'FAIL':
                print(f'FAIL {row.name}, {peer.name}, {self.what} {role}: {why}', flush=True)
            if self.progress:
                print(f'[{len(self.cells)}/{self.progress}] {row.name}, {peer.name}, {self.what} {role}: {mark}', file=sys.stderr)

    def show(self, all_rows, peers=None):
        peers = peers or self.peers
        width = max(len(self.title), *(len(r.name) for r in all_rows))
        wide = 4 * len(self.roles) + 1
        print(f'{"":{width}} ' + ' '.join(f'{p.name:^{wide}.{wide}}' for p in peers))
        print(f'{self.title:{width}} ' + ' '.join(f'{self.letters:^{wide}}' for _ in peers))
        for row in all_rows:
            line = ''
            for peer in peers:
                for role in self.roles:
                    mark, why = self.cells[row, peer, role]
                    if mark == 'n.a.':
                        mark = f'({self.reasons.setdefault(why, len(self.reasons) + 1)})'
                    line += f'{mark:^4}'
                line += '  '
            print(f'{row.name:{width}} {line}'.rstrip())

    def explain(self):
        for text, number in self.reasons.items():
            print(f'({number}) n.a. with {text}')

    def marks(self):
        return [m for m, _ in self.cells.values()]

    def short(self, head, lines, columns, where):
        """Markdown: how many cells came out, and how many were not tried. where(cell): its line and column."""
        counts = {}
        for cell, (mark, _) in self.cells.items():
            counts.setdefault(where(cell), []).append(mark)
        print(f'| {head} | ' + ' | '.join(columns) + ' |\n|' + '---|' * (len(columns) + 1))
        for line in lines:
            row = []
            for column in columns:
                marks = counts.get((line, column), [])
                said = {'ok': '{}', 'FAIL': '{} FAILED', 'n.a.': '{} n.a.', '-': '{} left'}
                row.append(', '.join(text.format(marks.count(mark)) for mark, text in said.items() if mark in marks))
            print(f'| {line} | ' + ' | '.join(row) + ' |')
        print()
