/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/**
 * kv_nm_keyring_lookup:
 * @uuid: the connection's
 * @key: the secret's name
 *
 * Looks a connection's secret up in the user's keyring, where NetworkManager's agents keep those
 * that are saved for one user. A locked keyring asks the user for its password. Blocks.
 * Returns: (transfer full) (nullable): wipe it; NULL: there is none, or no keyring.
 */
char *kv_nm_keyring_lookup(const char *uuid, const char *key);
