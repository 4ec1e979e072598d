/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/**
 * LLVMFuzzerTestOneInput:
 * @data: bytes from outside, in a block of exactly @size bytes
 *
 * What each fuzz-*.c defines: feeds one input to one parser and asserts what must hold for any
 * input. Keeps no state between calls. Returns 0.
 *
 * libFuzzer calls it, or the standalone driver, which runs over seeds in every test run.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
