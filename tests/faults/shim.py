"""A library of our own before the C library's, in every process of the gateway: NAME.c, told what to do by a file."""
import os
import pathlib

from support import equal, run


def preloaded(w, name, variable, start):
    """(the program with NAME.c before it, the file that variable names, which begins with `start`)"""
    folder = w.folder / name
    folder.mkdir()
    shim, control, program = folder / f'{name}.so', folder / 'control', folder / 'hauberk'
    code, _, err = run(['cc', '-shared', '-fPIC', '-O2', '-o', str(shim), str(pathlib.Path(__file__).parent / f'{name}.c'), '-ldl'])
    equal(code, 0, f'cc: {err.decode()}')
    control.write_bytes(start)
    program.write_text(f'#!/bin/sh\nexport LD_PRELOAD={shim} {variable}={control}\nexec {os.path.abspath(w.release_program)} "$@"\n')
    program.chmod(0o755)
    return program, control
