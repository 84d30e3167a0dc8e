#!/usr/bin/env python3
"""no_division.py LIBRARY: fails if the compiler put a division into ML-KEM (MLK-06, KyberSlash).

A constant division in C may become one at some optimisation levels; this looks at what came out."""
import re
import subprocess
import sys

DIVISION = re.compile(r'\t(v?divp?[sd]?[sd]?|idiv[bwlq]?|div[bwlq]?|[su]div)\s')


def main():
    text = subprocess.run(['objdump', '-d', '--no-show-raw-insn', sys.argv[1]], check=True, capture_output=True, text=True).stdout
    code = '\n'.join(part for part in re.split(r'\n(?=\S+:\s+file format)', text) if re.match(r'\S*mlkem\S*:', part))
    for name in ('hb_mlkem_keygen', 'hb_mlkem_encaps', 'hb_mlkem_decaps', 'hb_poly_ntt', 'hb_poly_encode10', 'hb_poly_to_message'):
        if code.count(f'<{name}>:') != 1:
            sys.exit(f'no {name} in {sys.argv[1]}: nothing was looked at')
    if not DIVISION.search('  4:\tdivl   -0x8(%rbp)') or not DIVISION.search('  4:\tidiv   %ecx') or not re.search(r'\t\w*mul', code):
        sys.exit('this does not see what it looks for')
    found = [line for line in code.splitlines() if DIVISION.search(line)]
    print('\n'.join(found) if found else f'no division among {len(code.splitlines())} lines')
    return bool(found)


if __name__ == '__main__':
    sys.exit(main())
