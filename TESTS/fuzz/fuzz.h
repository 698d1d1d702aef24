/* TESTS/fuzz/fuzz.h - what a fuzz target exports; libFuzzer's own name. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Any bytes at all; returns 0, and fails by crashing. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#endif
