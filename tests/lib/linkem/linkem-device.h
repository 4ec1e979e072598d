/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

/* A TAP device in a network namespace; it vanishes with its descriptor. */
typedef struct {
    char name[IFNAMSIZ];
    char namespace_name[64]; /* below /run/netns; empty: the caller's own */
    int fd;
} LinkemDevice;

/**
 * linkem_device_open:
 * @spec: namespace:interface[:address/length]
 * @side: 0 or 1, the last byte of the MAC address
 * @home: the caller's own network namespace, returned to before the function ends
 *
 * Makes the device, sets address, MTU (bytes) and queue (frames) and sets it up. Ends the program
 * with a message on failure.
 */
void linkem_device_open(LinkemDevice *device, const char *spec, int side, int home, int mtu,
                        int queue);

/* Frames the kernel dropped before they could be read; %false if not known. */
bool linkem_device_get_drops(const LinkemDevice *device, int home, uint64_t *drops);

/* Prints "linkem: ..." and ends the program with status 1. */
void linkem_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
