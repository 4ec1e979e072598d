/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-sockaddr.h"

#include <arpa/inet.h>

/* @ip: of either family; the test fails if it is none */
static inline KvSockaddr
kv_test_sockaddr(const char *ip, uint16_t port)
{
    KvSockaddr address = {0};

    if (inet_pton(AF_INET, ip, &address.v4.sin_addr) == 1) {
        address.v4.sin_family = AF_INET;
        address.v4.sin_port = htons(port);
        return address;
    }
    g_assert_cmpint(inet_pton(AF_INET6, ip, &address.v6.sin6_addr), ==, 1);
    address.v6.sin6_family = AF_INET6;
    address.v6.sin6_port = htons(port);
    return address;
}
