/* A violation for the test of tests/layering.py: a library that reaches for the event loop. Never built. */
#include <uv.h>
