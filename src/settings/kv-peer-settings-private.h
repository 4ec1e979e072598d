/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-peer-settings.h"
#include "kv-setting-value.h"

/* For the files of this folder that bring values in and out. */
struct _KvPeerSettings {
    KvRole role;
    char *name;
    KvSettingValue values[KV_N_PEER_SETTINGS];
};

/* What @peer takes in a key file, a preshared key included whether it has one or not: bytes. */
gsize kv_peer_settings_measure(const KvPeerSettings *peer);

/* The group of a key file. */
void kv_peer_settings_append_group(GString *out, const KvPeerSettings *peer, gboolean with_secrets);
