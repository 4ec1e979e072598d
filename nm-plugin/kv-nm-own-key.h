/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-nm-form.h"

/**
 * KvNmOwnKey: the rows of a form for this end's key pair.
 *
 * The private key with a button that makes a new one, and the public key that belongs to it, to be
 * copied for whoever runs the server. Main thread.
 */
typedef struct _KvNmOwnKey KvNmOwnKey;

/**
 * kv_nm_own_key_new:
 * @form: gets the field of the private key; must live as long
 * @labels: all labels are made as wide as the others in it
 * @top: (inout): first free row of @grid
 *
 * Returns: (transfer full): the rows.
 */
KvNmOwnKey *kv_nm_own_key_new(KvNmForm *form, GtkGrid *grid, GtkSizeGroup *labels,
                              int *top) KV_MUST_USE;
void kv_nm_own_key_free(KvNmOwnKey *key);

/**
 * kv_nm_own_key_update:
 * @is_kept: whether somebody keeps the private key: one that is asked for each time is not made
 * here
 *
 * Shows the public key of the private key as it is now. To be called once the form is complete, and
 * after each change.
 */
void kv_nm_own_key_update(KvNmOwnKey *key, gboolean is_kept);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvNmOwnKey, kv_nm_own_key_free)
